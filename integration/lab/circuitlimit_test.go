package lab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestCircuitLimit fills a circuit from Azure with the VNet's own prefix and the NVA's routes.
// One more route, and the gateway loses its session with the MSEE, while the NVA's session
// stays up.
func TestCircuitLimit(t *testing.T) {
	const limit = 50
	nva := birdNVA(t, nva1, 65001, manyRoutes(limit-2)...)
	l := lab.Up(t, lab.Options{Scenario: "one-hub", CircuitLimit: limit, NVAs: map[string]lab.NVA{"vm-hub00": nva}})
	l.AwaitSessions(t, 20*time.Second)
	awaitCircuit := func(up bool) {
		t.Helper()
		lab.Eventually(t, 20*time.Second, func() error {
			sessions, err := l.Gateway("hub00").Sessions(t.Context())
			if err != nil {
				return err
			}
			for _, s := range sessions {
				if s.ASN == 12076 && (s.Established && s.Ups == 1) != up {
					return fmt.Errorf("session with the MSEE: %+v, want up %v", s, up)
				}
			}
			return nil
		})
	}
	ups := awaitStable(t, l, limit-2)
	awaitCircuit(true)
	reconfigure(t, l, nva, manyRoutes(limit+1))
	awaitCircuit(false)
	if again := awaitStable(t, l, limit+1); again != ups {
		t.Error("the NVA's session was lost too")
	}
}

// TestOnPremisesLimit makes a site announce more than a gateway accepts: the limit is 1, and
// the site's own route and the prefix of the other VNet on the circuit are two.
func TestOnPremisesLimit(t *testing.T) {
	l := lab.Up(t, lab.Options{OnPremisesLimit: 1, OnPremises: true})
	lab.Eventually(t, 20*time.Second, func() error {
		sessions, err := l.Gateway("hub00").Sessions(t.Context())
		if err != nil {
			return err
		}
		for _, s := range sessions {
			if s.ASN == 12076 && s.LastDown == "Cease: maximum number of prefixes reached" {
				return nil
			}
		}
		return fmt.Errorf("sessions %+v", sessions)
	})
}
