package scenarios

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// mostOutage applies if nobody is notified of a death: at least one probe of the load balancer
// has to fail first.
const mostOutage = 2 * time.Second

// TestTwoHubsHA lets one NVA of each hub die under traffic, first one of each pair and then
// the other, silently or killed, and prints how long nothing got through.
func TestTwoHubsHA(t *testing.T) {
	l := lab.UpScenario(t, "two-hubs-ha")
	show(t, l)
	awaitPairs(t, l)
	t.Run("announced", func(t *testing.T) {
		for i := range 2 {
			for _, nva := range []string{"10.0.0.4", "10.0.0.6"} {
				r := received(t, l, "hub00", i, nva, "10.110.0.0/16")
				if r.NextHop.String() != "10.0.0.100" || r.Path() != "65001 65001 65001" || !r.Accepted {
					t.Errorf("instance %d was sent %+v by %s", i, r, nva)
				}
				wantSeen(t, l, "hub00", i, nva, "10.110.0.0/16")
			}
		}
	})
	for _, victims := range [][]string{{"vm-hub00", "vm-hub10"}, {"vm-hub00-2", "vm-hub10-2"}} {
		t.Run(strings.Join(victims, " and ")+" silent", func(t *testing.T) {
			testDeath(t, l, victims, l.LinkDown, l.LinkUp)
		})
	}
	t.Run("vm-hub00 drained", func(t *testing.T) { testDrain(t, l) })
	t.Run("vm-hub00 and vm-hub10 killed", func(t *testing.T) {
		testDeath(t, l, []string{"vm-hub00", "vm-hub10"}, l.KillNVA, l.StartNVA)
	})
}

// testDeath measures the outage of a flow while NVAs die and while they return. A killed nvad
// leaves its routes behind, so that the host still forwards.
func testDeath(t *testing.T, l *lab.Lab, victims []string, die, revive func(string) error) {
	outage := during(t, l, acrossHubs, func() { each(t, victims, die) })
	t.Logf("death: %v without traffic", outage)
	if outage > mostOutage {
		t.Errorf("nothing got through for %v", outage)
	}
	outage = during(t, l, acrossHubs, func() { each(t, victims, revive) })
	t.Logf("return: %v without traffic", outage)
	if outage > mostOutage {
		t.Errorf("on return nothing got through for %v", outage)
	}
	awaitPairs(t, l)
}

func each(t *testing.T, nvas []string, do func(string) error) {
	t.Helper()
	for _, nva := range nvas {
		if err := do(nva); err != nil {
			t.Fatal(err)
		}
	}
}

// pingInterval is the resolution with which an outage is measured.
const pingInterval = 20 * time.Millisecond

var pingCounts = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

// acrossHubs is the flow of the two hubs.
var acrossHubs = lab.Flow{From: "vm-hub100", To: "10.110.0.4"}

// during returns how long a flow was interrupted while do ran.
func during(t *testing.T, l *lab.Lab, f lab.Flow, do func()) time.Duration {
	t.Helper()
	ping := l.Command(f.From, "ping", "-q", "-i", fmt.Sprint(pingInterval.Seconds()), "-c", "150", "-W", "1", f.To)
	var out strings.Builder
	ping.Stdout = &out
	if err := ping.Start(); err != nil {
		t.Fatal(err)
	}
	do()
	if err := ping.Wait(); err != nil {
		if _, lost := err.(*exec.ExitError); !lost {
			t.Fatal(err)
		}
	}
	counts := pingCounts.FindStringSubmatch(out.String())
	if counts == nil {
		t.Fatalf("ping printed\n%s", out.String())
	}
	sent, _ := strconv.Atoi(counts[1])
	answered, _ := strconv.Atoi(counts[2])
	return time.Duration(sent-answered) * pingInterval
}

// awaitPairs waits until both load balancers share traffic between both NVAs, and all four
// NVAs use both NVAs of the other hub.
func awaitPairs(t *testing.T, l *lab.Lab) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, func() error {
		for node, prefix := range map[string]string{
			"net-hub00": "10.110.0.0/16", "vm-hub00": "10.110.0.0/16", "vm-hub00-2": "10.110.0.0/16",
			"net-hub10": "10.100.0.0/16", "vm-hub10": "10.100.0.0/16", "vm-hub10-2": "10.100.0.0/16",
		} {
			out, err := l.Output(node, "ip", "route", "show", prefix)
			if err != nil {
				return err
			}
			if strings.Count(out, "nexthop") != 2 {
				return fmt.Errorf("%s has %q", node, out)
			}
		}
		return nil
	})
}
