package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

// BFD tells whether a peer is alive once it has been up, BGP otherwise.
func TestTunnelPeers(t *testing.T) {
	addr := netip.MustParseAddr
	near, far := addr("10.10.0.4"), addr("10.20.0.4")
	neighbors := []engine.NeighborView{
		{Address: addr("10.0.210.4"), State: speaker.EstablishedState},
		{Address: addr("169.254.0.2"), State: speaker.EstablishedState, BFD: &engine.BFDView{State: "Down"}},
		{Address: addr("169.254.0.3"), State: speaker.EstablishedState, BFD: &engine.BFDView{State: "Down", Flaps: 1}},
		{Address: addr("169.254.0.4"), State: speaker.Active, BFD: &engine.BFDView{State: "Up"}},
	}
	st := tunnel.Status{Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")}}
	st.Remotes = []netip.Addr{near, far}
	outer := func(_ string, n netip.Addr) netip.Addr {
		if n == addr("169.254.0.3") {
			return far
		}
		return netip.Addr{}
	}
	want := []engine.TunnelPeerView{
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

// A tunnel is down when none of those that it leads to is there.
func TestFarEndViews(t *testing.T) {
	one, other := netip.MustParseAddr("169.254.0.2"), netip.MustParseAddr("169.254.0.3")
	for _, tt := range []struct {
		status bfd.Status
		dead   string
		want   engine.TunnelPeerView
	}{
		{bfd.Status{State: bfd.Up}, "", engine.TunnelPeerView{Up: true}},
		{bfd.Status{State: bfd.Down}, "", engine.TunnelPeerView{}},
		{bfd.Status{State: bfd.Down}, "no answer", engine.TunnelPeerView{Reason: "no answer"}},
		{bfd.Status{State: bfd.Down, Error: "no address"}, "no answer", engine.TunnelPeerView{Reason: "no address"}},
		{bfd.Status{State: bfd.Down, RemoteState: bfd.AdminDown, RemoteDiscriminator: 7}, "",
			engine.TunnelPeerView{Reason: "the other end has shut BFD down, the routes stay"}},
	} {
		tt.want.By, tt.want.Gateway = "bfd", true
		if got := farEndView(tt.status, tt.dead); got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.status, got, tt.want)
		}
	}
	v := engine.TunnelView{State: "up", Peers: []engine.TunnelPeerView{{Neighbor: one}, {Neighbor: other}}}
	if takeDown(&v, map[netip.Addr]string{one: "no answer"}); v.State != "up" {
		t.Errorf("%s: %s", v.State, v.Reason)
	}
	if takeDown(&v, map[netip.Addr]string{one: "no answer", other: "no answer"}); v.State != "down" {
		t.Errorf("%s: %s", v.State, v.Reason)
	}
}

// What was given comes first, then by remote; link-local IPv6 tells nothing.
func TestFDBViews(t *testing.T) {
	addr := netip.MustParseAddr
	mac := func(last byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0, last} }
	got := fdbViews([]tunnel.Entry{
		{MAC: mac(2), Remote: addr("10.0.2.254"), Age: time.Second, Addresses: []netip.Addr{addr("10.0.1.254"), addr("fe80::2")}},
		{MAC: mac(1), Remote: addr("10.0.2.1"), Addresses: []netip.Addr{addr("169.254.0.2")}},
		{MAC: mac(0), Remote: addr("239.1.1.1"), Permanent: true},
	})
	var text []string
	for _, v := range got {
		text = append(text, fmt.Sprint(v.MAC[15:], " ", v.Remote, " ", v.Permanent, " ", v.Age, " ", v.Addresses))
	}
	want := []string{
		"00 239.1.1.1 true 0s []",
		"01 10.0.2.1 false 0s [169.254.0.2]",
		"02 10.0.2.254 false 1s [10.0.1.254]",
	}
	if !slices.Equal(text, want) {
		t.Errorf("got %q, want %q", text, want)
	}
}
