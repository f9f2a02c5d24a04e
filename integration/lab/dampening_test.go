package lab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestDampening moves a route to another next hop, first by one UPDATE and then by a
// withdrawal followed by an announcement. The VNet applies the first change at once and delays
// the second.
func TestDampening(t *testing.T) {
	const dampening = 5 * time.Second
	moved := func(hop string) []announcement {
		return []announcement{{"10.200.0.0/16", "bgp_next_hop = " + hop + ";"}}
	}
	nva := birdNVA(t, nva1, 65001, moved("10.0.0.4")...)
	l := lab.Up(t, lab.Options{Scenario: "one-hub", Dampening: dampening, NVAs: map[string]lab.NVA{"vm-hub00": nva}})
	await := func(want string) time.Duration {
		t.Helper()
		start := time.Now()
		lab.Eventually(t, 30*time.Second, func() error {
			if hops, _ := effective(t, l, "vm-hub00-b", "10.200.0.0/16"); hops != want {
				return fmt.Errorf("next hops are %q, want %q", hops, want)
			}
			return nil
		})
		return time.Since(start)
	}
	await("10.0.0.4")
	time.Sleep(dampening) // the first announcement was a change too

	reconfigure(t, l, nva, moved("10.0.0.5"))
	replaced := await("10.0.0.5")
	time.Sleep(dampening)

	reconfigure(t, l, nva, nil)
	await("")
	reconfigure(t, l, nva, moved("10.0.0.4"))
	again := await("10.0.0.4")
	t.Logf("dampening %v: in force %v after a replacement, %v after a withdrawal and an announcement", dampening, replaced, again)
	if replaced > dampening/2 || again < dampening/2 {
		t.Errorf("a replacement took %v, an announcement after a withdrawal %v", replaced, again)
	}
}
