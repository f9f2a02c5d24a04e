package lifecycle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// watcher is a running nvactl watch.
type watcher struct {
	*bed
	nvactl *netbed.Process
	log    string
}

func (b *bed) watch(args ...string) *watcher {
	b.Helper()
	argv := append([]string{lab.Build(b.T, "./cmd/nvactl"), "--socket", b.socket, "watch"}, args...)
	p := b.Spawn(b.ours, fmt.Sprintf("watch%d", launches.Add(1)), argv...)
	return &watcher{b, p, p.Log}
}

// sees waits for a line that contains all of want.
func (w *watcher) sees(want ...string) {
	w.Helper()
	w.Eventually(patience, func() error {
		for line := range strings.Lines(w.Read(w.log)) {
			if !slices.ContainsFunc(want, func(s string) bool { return !strings.Contains(line, s) }) {
				return nil
			}
		}
		return fmt.Errorf("no line with %q in\n%s", want, w.Read(w.log))
	})
}

// ended waits until nvactl ends, which must not be an error.
func (w *watcher) ended() {
	w.Helper()
	if code := w.nvactl.Ended(); code != 0 {
		w.Errorf("nvactl watch: exit code %d: %s", code, w.Read(w.log))
	}
}

// TestWatch follows a neighbor and its route through a day. Each change appears with its
// cause, in the RIB and in the kernel.
func TestWatch(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const prefix = "10.100.0.0/16"
	f := b.frr(peer1, frrOptions{networks: []string{"10.99.0.0/16"}})
	b.configure(ordinary(open(peer1), open(peer2)))
	n := b.start()
	b.up(peer1)
	w, only, objects := b.watch(), b.watch("routes", "--prefix", prefix), b.watch("-o", "json")

	f.vtysh("conf t", "router bgp 65010", "address-family ipv4 unicast", "network "+prefix)
	w.sees("route", prefix+" best "+peer1+", AS path 65010")
	w.sees("fib", prefix+" installed via "+peer1+" dev eth0")
	g := b.frr(peer2, frrOptions{networks: []string{prefix}})
	w.sees("neighbor", peer2+" (AS 65010)", " Established")
	f.vtysh("conf t", "router bgp 65010", "address-family ipv4 unicast", "no network "+prefix)
	w.sees("route", prefix+" best "+peer1+" -> "+peer2+": "+peer1+" withdrew it")
	w.sees("fib", prefix+" installed", "via "+peer2+" dev eth0")
	g.vtysh("conf t", "router bgp 65010", "neighbor "+ourAddress+" shutdown message off to the beach")
	w.sees("neighbor", peer2+" (AS 65010) Established -> Idle: NOTIFICATION received: Cease/Administrative Shutdown \"off to the beach\"")
	w.sees("route", prefix+" unreachable, was "+peer2+": "+peer2+" is down")
	w.sees("fib", prefix+" removed via "+peer2+" dev eth0")
	b.ip("link del vxlan0")
	w.sees("tunnel", "vxlan0 repaired: vxlan0 was gone")
	b.ip("route del 10.99.0.0/16 metric 20")
	w.sees("fib", "10.99.0.0/16 installed via "+peer1)
	only.sees(prefix + " unreachable")
	if strings.Contains(only.Read(only.log), "10.99.0.0") || strings.Contains(only.Read(only.log), "neighbor ") {
		t.Errorf("more than requested:\n%s", only.Read(only.log))
	}

	only.nvactl.Signal(syscall.SIGINT)
	only.ended()
	n.Stop()
	w.ended()
	objects.ended()
	b.must(contains(w.Read(w.log), "nvad has ended"))
	for line := range strings.Lines(strings.TrimSuffix(objects.Read(objects.log), "nvactl: nvad has ended\n")) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
	}
}
