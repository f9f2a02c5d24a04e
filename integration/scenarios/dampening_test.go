package scenarios

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// dampening is how long a VNet of these tests delays the second change of a route: long enough
// to be distinguished from convergence and shorter than Azure's 30 s.
const dampening = 8 * time.Second

// TestRestartOfOne restarts one NVA of a pair in a VNet that dampens changes. Behind a load
// balancer nothing changes in the VNet. Without one, the set of next hops changes twice, and
// the second change is delayed.
func TestRestartOfOne(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]bool{"load balancer": true, "own next hops": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab.UpOptions(t, lab.Options{Scenario: "two-hubs-ha", Dampening: dampening, NVAs: pairOf(t, keep)})
			time.Sleep(2 * dampening) // the first announcement was a change too
			before := hopsOf(t, l)
			if len(before) == 0 {
				t.Fatal("the VNet has no route to the other hub")
			}
			changes := follow(t, l, before)
			t.Logf("next hops of 10.110.0.0/16 were %v, then %v", before, changes)
			switch {
			case keep && len(changes) > 0:
				t.Error("the VNet's route changed")
			case !keep && (len(changes) != 2 || changes[1].at-changes[0].at < dampening-time.Second):
				t.Errorf("want two changes, at least %v apart", dampening)
			}
		})
	}
}

// pairOf returns hub00's NVAs, which set the frontend as next hop or their own addresses.
func pairOf(t *testing.T, frontend bool) map[string]lab.NVA {
	t.Helper()
	if frontend {
		return nil
	}
	nvas := copiesOf(t, "hub00-ha1.toml", "hub00-ha2.toml")
	for _, nva := range nvas {
		edit(t, nva.Config, `, next-hop = "10.0.0.100"`, "")
	}
	return nvas
}

// change is one change of a route's next hops, with the time since the start.
type change struct {
	at   time.Duration
	hops []string
}

func (c change) String() string { return fmt.Sprintf("%v after %.1fs", c.hops, c.at.Seconds()) }

// follow stops vm-hub00, starts it again once the VNet has had time to notice, and returns the
// changes of its route until no delayed change can be left.
func follow(t *testing.T, l *lab.Lab, hops []string) []change {
	t.Helper()
	start := time.Now()
	var changes []change
	watch := func(do func(string) error, until time.Duration) {
		t.Helper()
		if err := do("vm-hub00"); err != nil {
			t.Fatal(err)
		}
		for time.Since(start) < until {
			if now := hopsOf(t, l); !slices.Equal(now, hops) {
				changes = append(changes, change{time.Since(start), now})
				hops = now
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	watch(l.StopNVA, dampening/4)
	watch(l.StartNVA, 2*dampening)
	return changes
}

// hopsOf returns the next hops of the route to hub10's spoke in hub00.
func hopsOf(t *testing.T, l *lab.Lab) []string {
	t.Helper()
	routes, err := l.EffectiveRoutes(t.Context(), "vm-hub00")
	if err != nil {
		t.Fatal(err)
	}
	var hops []string
	for _, r := range routes {
		if r.Prefix.String() == "10.110.0.0/16" {
			for _, hop := range r.NextHops {
				hops = append(hops, hop.String())
			}
		}
	}
	return hops
}
