package lifecycle

import (
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestLog reads the log of a run with a neighbor that is up, one that refuses the connection
// and one that does not exist. Each event is one line, and attempts are not logged.
func TestLog(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const absent = "10.0.0.9"
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.configure(ordinary(open(peer1), open(peer2), open(absent)))
	n := b.start()
	b.up(peer1)
	b.routed("10.100.0.0/16")
	n.Logs("neighbor="+peer2+" as=65010 reason=\"connection refused\"", "neighbor="+absent)
	f.stop()
	b.unrouted("10.100.0.0/16")
	b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.routed("10.100.0.0/16")
	// After about ten attempts ARP gives up, and the reason changes.
	n.Logs("neighbor=" + absent + " as=65010 reason=\"no route to host\"")
	n.Signal(syscall.SIGHUP)
	n.Logs("configuration reloaded")
	n.Stop()

	log := b.Read(n.Log)
	t.Logf("the log:\n%s", log)
	for event, want := range map[string]int{
		"starting": 1, "ready": 1, "stopping": 1, "stopped": 1, `"configuration reloaded"`: 1, `"tunnel up"`: 1,
		`"neighbor up"`: 2, `"neighbor down"`: 1,
		`"neighbor not up" neighbor=` + peer2: 1, `"neighbor not up" neighbor=` + absent: 2,
	} {
		if got := strings.Count(log, "msg="+event); got != want {
			t.Errorf("%d lines, not %d, of %s", got, want, event)
		}
	}
	line := regexp.MustCompile(`^time=\S+ level=(INFO|WARN|ERROR) msg=("[^"]+"|\w+)( [a-z_]+=("([^"\\]|\\.)*"|\S+))*\n$`)
	for l := range strings.Lines(log) {
		if !line.MatchString(l) {
			t.Errorf("odd line: %s", l)
		}
	}
	if lines := strings.Count(log, "\n"); lines > 16 {
		t.Errorf("%d lines", lines)
	}
}
