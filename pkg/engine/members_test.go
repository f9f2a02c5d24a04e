package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// external is hub00 with a far NVA of any other ASN, which must be the first of its paths.
func external() *config.Config {
	cfg := hub00()
	far := &cfg.Neighbors[1]
	far.RemoteASN, far.RemoteType, far.EnforceFirstAS = 0, config.External, true
	return cfg
}

func (p *ports) establishAs(peer netip.Addr, asn uint32) {
	p.events <- speaker.Established{
		From: speaker.From{Peer: peer}, Session: 7, LocalAddress: netip.MustParseAddr("10.0.0.4"), RemoteASN: asn,
		RemoteID: peer, Families: route.IPv4, GracefulPeer: route.IPv4, PeerRestart: 120 * time.Second, Preserved: route.IPv4,
	}
}

// The ASN that an external neighbor chose is the one that its paths must begin with. It
// survives a reload, and a router of another ASN does not take over the routes of the one
// before.
func TestExternalNeighbor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, p, stop := start(t, external(), false)
		defer stop()
		e.SetFacts(reachable())
		apply(t, e, external())
		asn := func() uint32 {
			list, err := e.Neighbors(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return list[1].RemoteASN
		}
		if asn() != 0 {
			t.Errorf("AS %d before any session", asn())
		}
		p.establishAs(farNVA, 65515)
		p.announce(farNVA, prefix)
		if !p.hasRoute() || asn() != 65515 {
			t.Errorf("route installed: %v; AS %d", p.hasRoute(), asn())
		}
		again := external()
		again.Neighbors[1].AllowASIn = 1
		effect, _, err := e.Preview(t.Context(), again)
		if err != nil || len(effect.Groups) > 0 {
			t.Errorf("the preview of a reload that changes no route: %+v, %v", effect, err)
		}
		apply(t, e, again)
		if !p.hasRoute() || asn() != 65515 {
			t.Errorf("after a reload, route installed: %v; AS %d", p.hasRoute(), asn())
		}
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
		if !p.hasRoute() {
			t.Error("the route is not kept over a restart")
		}
		p.establishAs(farNVA, 64999)
		if p.hasRoute() {
			t.Error("the route of AS 65515 stays after AS 64999 has taken its address")
		}
		p.announce(farNVA, prefix) // its path begins with 65515
		if p.hasRoute() {
			t.Error("a path that does not begin with the neighbor's ASN is accepted")
		}
	})
}
