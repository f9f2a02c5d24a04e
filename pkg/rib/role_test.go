package rib

import (
	"fmt"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// RFC 9234 5: what happens to a route that comes from a neighbor of one role and goes to a
// neighbor of another. 64500 is the sender, 64501 the receiver and 65001 this router.
func TestOnlyToCustomer(t *testing.T) {
	for _, c := range []struct {
		from, to string
		otc      uint32 // 0: none
		want     string
	}{
		{"provider", "customer", 0, "64500"},
		{"provider", "customer", 9, "9"},
		{"provider", "peer", 0, "held"},
		{"provider", "provider", 0, "held"},
		{"provider", "rs-server", 9, "held"},
		{"provider", "rs-client", 0, "64500"},
		{"provider", "", 0, "64500"},
		{"rs-server", "customer", 0, "64500"},
		{"rs-server", "peer", 0, "held"},
		{"peer", "customer", 0, "64500"},
		{"peer", "customer", 64500, "64500"},
		{"peer", "customer", 9, "rejected"},
		{"peer", "peer", 0, "held"},
		{"customer", "provider", 0, "none"},
		{"customer", "peer", 0, "65001"},
		{"customer", "customer", 0, "65001"},
		{"customer", "customer", 9, "rejected"},
		{"rs-client", "customer", 9, "rejected"},
		{"rs-client", "rs-client", 0, "65001"},
		{"", "provider", 9, "held"},
		{"", "customer", 0, "65001"},
		{"", "", 9, "9"},
		{"", "", 0, "none"},
	} {
		t.Run(fmt.Sprintf("%s to %s with %d", c.from, c.to, c.otc), func(t *testing.T) {
			b := newBed(t)
			b.peer(neighbor(rs0, 64500, SessionSettings{Role: c.from}), acceptAll, acceptAll)
			b.peer(neighbor(branch, 64501, SessionSettings{Role: c.to}), acceptAll, acceptAll)
			b.up(rs0)
			b.up(branch)
			b.send(rs0, route.Attrs{ASPath: asPath("64500"), OTC: route.Optional{Value: c.otc, Set: c.otc > 0}}, "10.1.0.0/16")
			b.flush()
			if got := b.outcome("10.1.0.0/16", branch); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// outcome returns the OTC that a neighbor is sent, or why it is sent no route.
func (b *bed) outcome(prefix, to string) string {
	sent := b.r.Sent(pfx(prefix), addr(to))
	switch {
	case sent == nil && b.r.Counts(addr(rs0)).Accepted == 0:
		return "rejected"
	case sent == nil:
		return "held"
	case sent.OTC.Set:
		return fmt.Sprint(sent.OTC.Value)
	}
	return "none"
}

// If a reload gives a neighbor a role, the role applies to the routes that are already there.
func TestReloadRole(t *testing.T) {
	b := newBed(t)
	b.peer(neighbor(rs0, 64500), acceptAll, acceptAll)
	b.peer(neighbor(branch, 64501, SessionSettings{Role: "peer"}), acceptAll, acceptAll)
	b.up(rs0)
	b.up(branch)
	b.announce(rs0, "64500", "10.1.0.0/16")
	b.flush()
	b.peer(neighbor(rs0, 64500, SessionSettings{Role: "provider"}), acceptAll, acceptAll)
	b.want("held back now", "to 10.0.0.9 - 10.1.0.0/16")
	if reason := b.held(pfx("10.1.0.0/16"), addr(branch)); reason != "Only to Customer of AS 64500, and the neighbor is a peer (RFC 9234)" {
		t.Error(reason)
	}
	b.peer(neighbor(rs0, 64500), acceptAll, acceptAll)
	b.want("and told again", "to 10.0.0.9 + 10.1.0.0/16 path [65001 64500] via 10.0.0.4")
}
