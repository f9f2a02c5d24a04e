package lifecycle

import (
	"strings"
	"testing"
)

// TestFlush ends nvad so that nothing of its own is left, in either of the two
// ways.
func TestFlush(t *testing.T) {
	t.Parallel()
	const message = "moved to vm-hub01 at 14:00"
	for name, c := range map[string]struct {
		daemon []string
		end    func(n *nvad)
		says   string
	}{
		"stop --flush": {end: func(n *nvad) {
			r := n.ctl("stop", "--flush", "--message", message)
			if r.code != 0 || r.out != "nvad has ended\n" {
				n.Errorf("nvactl: %+v", r)
			}
		}, says: message},
		"preserve-fib=false": {daemon: []string{"preserve-fib = false"}, end: (*nvad).stop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.plant()
			f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}, graceful: true})
			s := ordinary(open(peer1))
			s.daemon = c.daemon
			b.configure(s)
			before := b.ip("route") + b.ip("nexthop") + b.ip("-br link")
			n := b.start()
			b.up(peer1)
			b.routed("10.100.0.0/16", "10.0.210.0/24")
			f.knows("10.20.0.0/16")
			c.end(n)
			if code := n.wait(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			b.planted()
			if after := b.ip("route") + b.ip("nexthop") + b.ip("-br link"); after != before {
				t.Errorf("left\n%s\nof\n%s", after, before)
			}
			f.misses("10.20.0.0/16")
			v := f.view()
			if !strings.HasPrefix(v.Reason, "Cease/Administrative Shutdown") || v.ShutdownText != c.says {
				t.Errorf("FRR: %+v", v)
			}
		})
	}
}
