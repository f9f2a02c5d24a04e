package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// A neighbor that is absent for an hour causes one log line for each reason, and only a
// few if its reasons never repeat.
func TestEngineLogsOutages(t *testing.T) {
	run(t, false, func(t *testing.T, _ *Engine, p *ports) {
		fail := func(reason string) {
			from := speaker.From{Peer: farNVA}
			p.events <- speaker.StateChanged{From: from, State: speaker.Connect}
			p.events <- speaker.StateChanged{From: from, State: speaker.Active, Reason: reason}
			synctest.Wait()
		}
		outage := func() int {
			before := len(p.logged("neighbor not up"))
			for i := range 7200 {
				fail([]string{"timed out", "no route to host"}[i/5%2])
				time.Sleep(time.Second / 2)
			}
			return len(p.logged("neighbor not up")) - before
		}
		if n := outage(); n != 2 {
			t.Errorf("%d lines for two reasons", n)
		}
		p.establish(farNVA, false, false)
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "hold timer expired"}
		fail("connection reset by peer") // of the first moment
		time.Sleep(calmTime)
		fail("hold timer expired") // was told when it went down
		if n := outage(); n != 2 {
			t.Errorf("%d lines for two reasons of the second outage", n)
		}
		if up, down := len(p.logged("neighbor up")), len(p.logged("neighbor down")); up != 1 || down != 1 {
			t.Errorf("%d lines for one session, %d for its end", up, down)
		}
		before := len(p.logged("neighbor not up"))
		for i := range 100 {
			fail(fmt.Sprintf("NOTIFICATION received: %d", i))
		}
		if n := len(p.logged("neighbor not up")) - before; n > 8 {
			t.Errorf("%d lines for a talkative neighbor", n)
		}
	})
}

// A neighbor whose routes are treated as withdrawn is logged with the reason, but not
// for every route.
func TestEngineLogsMalformedUpdates(t *testing.T) {
	run(t, false, func(t *testing.T, _ *Engine, p *ports) {
		for range 2 {
			p.establish(farNVA, false, false)
			for range 100 {
				p.events <- speaker.Update{
					From: speaker.From{Peer: farNVA}, Withdrawn: prefixes(3),
					Err: &speaker.Malformed{Action: speaker.TreatAsWithdraw, Class: speaker.Missing, Attribute: 1, Text: "ORIGIN is missing (RFC 7606 3 d)", Routes: 3},
				}
			}
			p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "hold timer expired"}
		}
		if n := len(p.logged("malformed UPDATE")); n != 2 {
			t.Errorf("%d lines for one reason in two sessions", n)
		}
	})
}
