package gobgp

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// plainGoBGP is a GoBGP as others run it, listening at address.
func plainGoBGP(t testing.TB, address string, asn uint32, peer *api.Peer) *server.BgpServer {
	t.Helper()
	s := server.NewBgpServer()
	go s.Serve()
	ctx := context.Background()
	err := s.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn: asn, RouterId: "10.0.0.9", ListenPort: int32(testPort), ListenAddresses: []string{address}, Families: []uint32{0, 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	if err := s.AddPeer(ctx, &api.AddPeerRequest{Peer: peer}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPlainGoBGP exchanges routes of both families with a GoBGP that listens.
func TestPlainGoBGP(t *testing.T) {
	family := func(afi api.Family_Afi) *api.AfiSafi {
		return &api.AfiSafi{Config: &api.AfiSafiConfig{Family: &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST}, Enabled: true}}
	}
	g := plainGoBGP(t, "127.0.7.2", 65002, &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: "127.0.7.1", PeerAsn: 65001},
		Transport: &api.Transport{PassiveMode: true},
		AfiSafis:  []*api.AfiSafi{family(api.Family_AFI_IP), family(api.Family_AFI_IP6)},
	})
	s := newTestSpeaker(t, "127.0.7.1", "10.0.0.1", 65001)
	s.configure(speaker.Neighbor{
		Address: addr("127.0.7.2"), Port: testPort, LocalAddress: s.addr,
		LocalASN: 65001, RemoteASN: 65002, Families: route.IPv4 | route.IPv6, HoldTime: 90 * time.Second,
	})
	up := next[speaker.Established](s, 2*time.Second)
	if up.Families != route.IPv4|route.IPv6 {
		t.Errorf("families %s", up.Families)
	}
	for _, c := range []struct{ prefix, wider, nextHop string }{
		{"10.1.0.0/16", "10.0.0.0/15", "192.0.2.1"}, {"2001:db8:1::/48", "2001:db8::/47", "2001:db8::1"},
	} {
		// GoBGP loses a route that is injected before its own end is Established. It is when it has taken one.
		out := s.opts.Interner.Intern(route.Attrs{ASPath: route.NewASPath(65001, 65515), NextHop: addr(c.nextHop)})
		s.Send(up.Neighbor(), up.Session, []speaker.Change{{Prefix: prefix(c.wider), Attrs: out}})
		eventually(t, 2*time.Second, func() bool { return hasAdjIn(g, prefix(c.wider)) })
		injectIntoGoBGP(t, g, prefix(c.prefix), addr(c.nextHop))
		ev := next[speaker.Update](s, 2*time.Second)
		if ev.Err != nil || len(ev.Announced) != 1 || ev.Announced[0] != prefix(c.prefix) || ev.Attrs.NextHop != addr(c.nextHop) ||
			ev.Attrs.ASPath.String() != "65002" {
			t.Errorf("received %+v %+v", ev, ev.Attrs)
		}
	}
}

func injectIntoGoBGP(t testing.TB, g *server.BgpServer, p netip.Prefix, nextHop netip.Addr) {
	t.Helper()
	nlri, err := bgp.NewIPAddrPrefix(p)
	if err != nil {
		t.Fatal(err)
	}
	family := bgp.RF_IPv4_UC
	attrs := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0)}
	if p.Addr().Is6() {
		family = bgp.RF_IPv6_UC
		reach, err := bgp.NewPathAttributeMpReachNLRI(family, []bgp.PathNLRI{{NLRI: nlri}}, nextHop)
		if err != nil {
			t.Fatal(err)
		}
		attrs = append(attrs, reach)
	} else {
		hop, err := bgp.NewPathAttributeNextHop(nextHop)
		if err != nil {
			t.Fatal(err)
		}
		attrs = append(attrs, hop)
	}
	_, err = g.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{{Family: family, Nlri: nlri, Attrs: attrs}}})
	if err != nil {
		t.Fatal(err)
	}
}

func hasAdjIn(g *server.BgpServer, p netip.Prefix) bool {
	family := bgp.RF_IPv4_UC
	if p.Addr().Is6() {
		family = bgp.RF_IPv6_UC
	}
	found := false
	_ = g.ListPath(apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: family}, func(nlri bgp.NLRI, paths []*apiutil.Path) {
		found = found || nlri.String() == p.String() && len(paths) > 0
	})
	return found
}

// eventually polls ok.
func eventually(t testing.TB, d time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(d)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s", d)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestAcceptChannel guards the one thing that nvad takes from GoBGP's inside.
func TestAcceptChannel(t *testing.T) {
	s := server.NewBgpServer()
	defer s.Stop()
	if err := setAcceptChannel(s, nil); err != nil {
		t.Fatalf("%v: pkg/speaker/gobgp cannot use this release", err)
	}
}
