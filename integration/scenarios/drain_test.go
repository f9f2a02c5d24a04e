package scenarios

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// testDrain moves the traffic away from one NVA of hub00 under load, and back again. Both
// changes are planned, so hardly a packet may be lost.
func testDrain(t *testing.T, l *lab.Lab) {
	healthy(t, l, "ok 200")
	outage := during(t, l, acrossHubs, func() {
		out := nvactl(t, l, "drain --reason maintenance")
		// The hub's other NVA is not a neighbor of this one, so nvad warns.
		if !strings.Contains(out, "no other NVA is known") || !strings.HasSuffix(out, "draining, traffic will have moved in 30s\n") {
			t.Errorf("nvactl drain printed %q", out)
		}
		awaitMoved(t, l)
	})
	t.Logf("drain: %v without traffic", outage)
	if outage > mostOutage {
		t.Errorf("nothing got through for %v", outage)
	}
	healthy(t, l, "draining, by operator: maintenance 503")
	if out := nvactl(t, l, "status"); !strings.Contains(out, "by operator: maintenance") {
		t.Errorf("status does not mention the drain:\n%s", out)
	}
	t.Run("least preferred", func(t *testing.T) {
		lab.Eventually(t, 10*time.Second, func() error { return leastPreferred(t, l) })
	})
	t.Run("no traffic", func(t *testing.T) {
		before := tunnelPackets(t, l)
		step(t, l, "vm-hub100# ping -q -c 100 -i 0.02 -W 1 10.110.0.4")
		// BGP and BFD continue.
		if n := tunnelPackets(t, l) - before; n >= 60 {
			t.Errorf("%d packets passed the tunnel of the drained NVA", n)
		}
	})
	outage = during(t, l, acrossHubs, func() { nvactl(t, l, "drain --off") })
	t.Logf("back: %v without traffic", outage)
	if outage > mostOutage {
		t.Errorf("on return nothing got through for %v", outage)
	}
	healthy(t, l, "ok 200")
	awaitPairs(t, l)
}

func nvactl(t *testing.T, l *lab.Lab, command string) string {
	t.Helper()
	return step(t, l, "vm-hub00# nvactl "+command)
}

// healthy waits for an answer of vm-hub00's health endpoint with this text and status.
func healthy(t *testing.T, l *lab.Lab, want string) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, func() error {
		out, err := l.Output("net-hub00", "curl", "-s", "-w", "%{http_code}", "http://10.0.0.4:8080/healthz")
		if err != nil {
			return err
		}
		if got := strings.Join(strings.Fields(out), " "); got != want {
			return fmt.Errorf("/healthz answers %q, want %q", got, want)
		}
		return nil
	})
}

// awaitMoved waits until nothing leads to vm-hub00 any more: neither the load balancer nor the
// NVAs of the other hub, which use it only as the backup.
func awaitMoved(t *testing.T, l *lab.Lab) {
	t.Helper()
	const other, backup = "via 169.254.0.3 dev vxlan0 weight 255", "via 169.254.0.1 dev vxlan0 weight 1 "
	lab.Eventually(t, 10*time.Second, func() error {
		out, err := l.Output("net-hub00", "ip", "route", "show", "10.110.0.0/16")
		if err != nil {
			return err
		}
		if !strings.Contains(out, "via 10.0.0.6 ") || strings.Contains(out, "via 10.0.0.4 ") {
			return fmt.Errorf("the load balancer's route is %q", out)
		}
		for _, nva := range []string{"vm-hub10", "vm-hub10-2"} {
			out, err := l.Output(nva, "ip", "route", "show", "10.100.0.0/16")
			if err != nil {
				return err
			}
			if !strings.Contains(out, other) || !strings.Contains(out, backup) {
				return fmt.Errorf("%s has %q", nva, out)
			}
		}
		return nil
	})
}

// leastPreferred checks the announcements to the neighbors of vm-hub00: GRACEFUL_SHUTDOWN
// everywhere, five more ASNs for Route Server, LOCAL_PREF 0 for the other hub.
func leastPreferred(t *testing.T, l *lab.Lab) error {
	for i := range 2 {
		r := received(t, l, "hub00", i, "10.0.0.4", "10.110.0.0/16")
		if want := strings.TrimSpace(strings.Repeat("65001 ", 8)); r.Path() != want || !strings.Contains(strings.Join(r.Communities, " "), "65535:0") {
			return fmt.Errorf("instance %d was sent path %s, communities %v", i, r.Path(), r.Communities)
		}
	}
	out := step(t, l, "vm-hub10# nvactl routes 10.100.0.0/16 -o json")
	if !strings.Contains(out, "graceful-shutdown") && !strings.Contains(out, "65535:0") {
		return fmt.Errorf("vm-hub10 has\n%s", out)
	}
	return nil
}

// tunnelPackets counts the packets that vm-hub00 has sent into its tunnel.
func tunnelPackets(t *testing.T, l *lab.Lab) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(l.Exec(t, "vm-hub00", "cat", "/sys/class/net/vxlan0/statistics/tx_packets"), &n); err != nil {
		t.Fatal(err)
	}
	return n
}
