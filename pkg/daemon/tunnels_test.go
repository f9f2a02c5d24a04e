package daemon

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Once BFD has been up, it says whether a peer is alive; before that, BGP does.
func TestTunnelPeers(t *testing.T) {
	addr := netip.MustParseAddr
	near, far := addr("10.10.0.4"), addr("10.20.0.4")
	neighbor := func(a string, s speaker.State, b *bfd.Status) api.Neighbor {
		return api.Neighbor{BFD: b, NeighborStatus: engine.NeighborStatus{NeighborSample: engine.NeighborSample{Address: addr(a), State: s}}}
	}
	neighbors := []api.Neighbor{
		neighbor("10.0.210.4", speaker.EstablishedState, nil),
		neighbor("169.254.0.2", speaker.EstablishedState, &bfd.Status{State: bfd.Down}),
		neighbor("169.254.0.3", speaker.EstablishedState, &bfd.Status{State: bfd.Down, Flaps: 1}),
		neighbor("169.254.0.4", speaker.Active, &bfd.Status{State: bfd.Up}),
	}
	st := tunnel.Status{Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")}}
	st.Remotes = []netip.Addr{near, far}
	outer := func(_ string, n netip.Addr) netip.Addr {
		if n == addr("169.254.0.3") {
			return far
		}
		return netip.Addr{}
	}
	want := []api.TunnelPeer{
		{Neighbor: addr("169.254.0.2"), Up: true, By: "bgp"},
		{Neighbor: addr("169.254.0.3"), Remote: far, By: "bfd"},
		{Neighbor: addr("169.254.0.4"), Up: true, By: "bfd"},
	}
	if got := peersOf(st, neighbors, outer); !slices.Equal(got, want) {
		t.Errorf("peers %v", got)
	}
	st.Remotes = st.Remotes[:1]
	for _, p := range peersOf(st, neighbors, outer) {
		if p.Remote != near {
			t.Errorf("the only remote is %s, not %s", near, p.Remote)
		}
	}
}

// A tunnel is down when all its peers are dead.
func TestFarEndViews(t *testing.T) {
	one, other := netip.MustParseAddr("169.254.0.2"), netip.MustParseAddr("169.254.0.3")
	for _, tt := range []struct {
		status bfd.Status
		dead   string
		want   api.TunnelPeer
	}{
		{bfd.Status{State: bfd.Up}, "", api.TunnelPeer{Up: true}},
		{bfd.Status{State: bfd.Down}, "", api.TunnelPeer{}},
		{bfd.Status{State: bfd.Down}, "no answer", api.TunnelPeer{Reason: "no answer"}},
		{bfd.Status{State: bfd.Down, Error: "no address"}, "no answer", api.TunnelPeer{Reason: "no address"}},
		{bfd.Status{State: bfd.Down, RemoteState: bfd.AdminDown, RemoteDiscriminator: 7}, "",
			api.TunnelPeer{Reason: "the other end has shut BFD down, the routes stay"}},
	} {
		tt.want.By, tt.want.Gateway = "bfd", true
		if got := farEnd(tt.status, tt.dead); got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.status, got, tt.want)
		}
	}
	v := api.Tunnel{Status: tunnel.Status{State: "up"}, Peers: []api.TunnelPeer{{Neighbor: one}, {Neighbor: other}}}
	if takeDown(&v, map[netip.Addr]string{one: "no answer"}); v.State != "up" {
		t.Errorf("%s: %s", v.State, v.Reason)
	}
	if takeDown(&v, map[netip.Addr]string{one: "no answer", other: "no answer"}); v.State != "down" {
		t.Errorf("%s: %s", v.State, v.Reason)
	}
}

// Configured entries come first, then by remote.
func TestForwardingOrder(t *testing.T) {
	addr := netip.MustParseAddr
	got := inOrder([]tunnel.Entry{
		{Remote: addr("10.0.2.254")}, {Remote: addr("10.0.2.1")}, {Remote: addr("239.1.1.1"), Permanent: true},
	})
	if got[0].Remote != addr("239.1.1.1") || got[1].Remote != addr("10.0.2.1") || got[2].Remote != addr("10.0.2.254") {
		t.Errorf("%v", got)
	}
}
