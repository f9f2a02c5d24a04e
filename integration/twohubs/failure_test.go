package twohubs

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// othersReturnTime is for pairs without an nvad: FRR's retries are slow.
const othersReturnTime = 20 * time.Second

// TestFailures breaks one thing at a time. Traffic is back soon after the cause is gone, the
// kernel ends as it was, and other programs' links and routes are untouched.
func TestFailures(t *testing.T) {
	for _, p := range pairs {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			l := p.up(t, lab.Options{})
			plant(t, l, near.nva)
			plant(t, l, far.nva)
			converge(t, l)
			for _, f := range failures {
				t.Run(f.name, func(t *testing.T) { f.test(t, l, p) })
			}
		})
	}
}

// failure is something that breaks, and its repair.
type failure struct {
	name       string
	begin, end func(l *lab.Lab) error
	// restarts is the VNet whose NVA is started by end, if there is one.
	restarts string
}

var failures = []failure{
	{
		name:  "underlay link down and up",
		begin: func(l *lab.Lab) error { return l.LinkDown(near.nva) },
		end:   func(l *lab.Lab) error { return l.LinkUp(near.nva) },
	},
	{
		name:     "near NVA killed and restarted",
		begin:    func(l *lab.Lab) error { return l.KillNVA("hub00") },
		end:      func(l *lab.Lab) error { return l.StartNVA("hub00") },
		restarts: "hub00",
	},
	{
		name:     "far NVA stopped and started",
		begin:    func(l *lab.Lab) error { return l.StopNVA("hub10") },
		end:      func(l *lab.Lab) error { return l.StartNVA("hub10") },
		restarts: "hub10",
	},
	{
		name:     "far NVA killed and restarted",
		begin:    func(l *lab.Lab) error { return l.KillNVA("hub10") },
		end:      func(l *lab.Lab) error { return l.StartNVA("hub10") },
		restarts: "hub10",
	},
}

func (f failure) test(t *testing.T, l *lab.Lab, p pair) {
	nearBefore, farBefore := snapshot(t, l, near.nva, p.near), snapshot(t, l, far.nva, p.far)
	if err := f.begin(l); err != nil {
		t.Fatal(err)
	}
	if f.restarts == "" {
		// If a daemon stops, the kernel's routes may still carry the traffic.
		lab.Eventually(t, returnTime, func() error { return passes(l) })
	}
	if err := f.end(l); err != nil {
		t.Fatal(err)
	}
	if f.restarts != "" && l.Options.NVAs[f.restarts].Kind != lab.Nvad {
		// FRR opens its first session seconds after its start. The cause is only gone once FRR
		// talks to its Route Server again.
		l.AwaitSessions(t, convergeTime)
	}
	limit := returnTime
	if p.near != lab.Nvad {
		limit = othersReturnTime
	}
	awaitReturn(t, l, limit)
	l.AwaitSessions(t, convergeTime)
	lab.Eventually(t, convergeTime, func() error { return same(t, l, near.nva, p.near, nearBefore) })
	lab.Eventually(t, convergeTime, func() error { return same(t, l, far.nva, p.far, farBefore) })
	checkPlanted(t, l, near.nva)
	checkPlanted(t, l, far.nva)
}

// passes returns an error as long as traffic still passes.
func passes(l *lab.Lab) error {
	if ping(l, "vm-hub100", vm110) == nil {
		return errors.New("traffic still passes")
	}
	return nil
}

// awaitReturn waits until traffic passes in both directions, and logs how long that took.
func awaitReturn(t *testing.T, l *lab.Lab, limit time.Duration) {
	t.Helper()
	start := time.Now()
	lab.Eventually(t, limit, func() error {
		if err := ping(l, "vm-hub100", vm110); err != nil {
			return err
		}
		return ping(l, "vm-hub110", vm100)
	})
	t.Logf("traffic was back after %v", time.Since(start).Round(10*time.Millisecond))
}

// plant adds a link, an address and routes that do not belong to the NVA. The address is low,
// because FRR without a router ID uses its highest address.
func plant(t *testing.T, l *lab.Lab, node string) {
	t.Helper()
	for _, command := range []string{
		"link add foreign0 type veth peer name foreign1",
		"link set foreign1 up",
		"addr add 9.0.0.1/24 dev foreign0",
		"link set foreign0 up",
		"route add 203.0.113.0/24 via 9.0.0.2 proto static metric 7",
		"route add blackhole 192.0.2.0/24 proto boot",
		"route add 192.0.2.128/25 via 9.0.0.3 table 77",
	} {
		l.Exec(t, node, append([]string{"ip"}, strings.Fields(command)...)...)
	}
}

func checkPlanted(t *testing.T, l *lab.Lab, node string) {
	t.Helper()
	routes := l.Exec(t, node, "ip", "route", "show", "table", "all")
	for _, want := range []string{
		"203.0.113.0/24 via 9.0.0.2 dev foreign0 proto static metric 7",
		"blackhole 192.0.2.0/24",
		"192.0.2.128/25 via 9.0.0.3 dev foreign0 table 77",
	} {
		if !strings.Contains(routes, want) {
			t.Errorf("%s lost the foreign route %s:\n%s", node, want, routes)
		}
	}
	if link := l.Exec(t, node, "ip", "link", "show", "foreign0"); !strings.Contains(link, "UP") {
		t.Errorf("%s: the foreign link is %s", node, link)
	}
}
