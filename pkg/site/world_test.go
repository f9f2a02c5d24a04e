package site

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world is a site of two hubs with two NVAs each, as in two-hubs-ha: hub00-a, hub00-b,
// hub10-a, hub10-b.
type world struct {
	*testing.T
	nvas []Answer
}

var (
	addresses = []string{"10.0.0.4", "10.0.0.6", "10.10.0.4", "10.10.0.6"}
	inside    = []string{"169.254.0.1", "169.254.0.3", "169.254.0.2", "169.254.0.4"}
	files     = []string{"hub00-ha1", "hub00-ha2", "hub10-ha1", "hub10-ha2"}
)

func sound(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	for i, name := range []string{"hub00-a", "hub00-b", "hub10-a", "hub10-b"} {
		hub := i / 2 * 10
		text, err := os.ReadFile("../../configs/" + files[i] + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		a := Answer{
			Name: name, Config: string(text), Doubt: time.Millisecond,
			Status:   &nvadv1.Status{Version: "v1.2.3", Asn: 65001, RouterId: addresses[i], InSync: true, Neighbors: 5, Established: 5, Time: timestamppb.New(now)},
			Tunnels:  []*nvadv1.Tunnel{{Name: "vxlan0", Vni: 77, State: "up", Local: addresses[i], Port: 4789, Mtu: 1450, Addresses: []string{inside[i] + "/24"}}},
			Prefixes: map[netip.Prefix]time.Time{}, Local: []netip.Prefix{pfx(fmt.Sprintf("10.%d.0.0/24", hub))},
		}
		for k := range 2 {
			a.Neighbors = append(a.Neighbors, &nvadv1.Neighbor{Address: fmt.Sprintf("10.%d.210.%d", hub, 4+k), RemoteAsn: 65515, LocalAsn: 65001,
				State: established, LocalAddress: addresses[i], Domain: fmt.Sprintf("ars-10.%d.210.0", hub), HoldTimeSeconds: 180})
		}
		for j := range addresses {
			if j == i {
				continue
			}
			t := a.Tunnels[0]
			t.Remotes = append(t.Remotes, addresses[j])
			t.Peers = append(t.Peers, &nvadv1.TunnelPeer{Remote: addresses[j], Neighbor: inside[j], Up: true, By: "bfd"})
			a.Neighbors = append(a.Neighbors, &nvadv1.Neighbor{Address: inside[j], RemoteAsn: 65001, LocalAsn: 65001, State: established, LocalAddress: inside[i], HoldTimeSeconds: 180})
		}
		for _, p := range []string{"10.0.0.0/16", "10.10.0.0/16", "10.100.0.0/16", "10.110.0.0/16"} {
			if p != fmt.Sprintf("10.%d.0.0/16", 10-hub) {
				a.Prefixes[pfx(p)] = now.Add(-time.Hour)
			}
		}
		gateway, far := fmt.Sprintf("10.%d.0.1", hub), inside[(i/2*2+2)%4:][:2]
		a.Routes = []Route{via(fmt.Sprintf("10.%d.0.0/16", hub), gateway), via(fmt.Sprintf("10.1%d0.0.0/16", hub/10), gateway), via(fmt.Sprintf("10.1%d0.0.0/16", 1-hub/10), far...)}
		w.nvas = append(w.nvas, a)
	}
	return w
}

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func via(prefix string, gateways ...string) Route {
	r := Route{Prefix: pfx(prefix)}
	for _, g := range gateways {
		r.Via = append(r.Via, netip.MustParseAddr(g))
	}
	return r
}

// tunnel returns the tunnel of an NVA.
func (w *world) tunnel(nva int) *nvadv1.Tunnel { return w.nvas[nva].Tunnels[0] }

// neighbor returns how an NVA sees another one.
func (w *world) neighbor(nva, far int) *nvadv1.Neighbor {
	for _, n := range w.nvas[nva].Neighbors {
		if n.GetAddress() == inside[far] {
			return n
		}
	}
	w.Fatalf("%d has no neighbor %d", nva, far)
	return nil
}

// edit replaces something in the configuration of an NVA.
func (w *world) edit(nva int, old, new string) {
	w.Helper()
	text := w.nvas[nva].Config
	if !strings.Contains(text, old) {
		w.Fatalf("no %q in the configuration", old)
	}
	w.nvas[nva].Config = strings.Replace(text, old, new, 1)
}

// wireguard makes the tunnel between hub00-a and hub10-a one of WireGuard, and takes all
// others away.
func (w *world) wireguard() {
	for i := range w.nvas {
		w.nvas[i].Tunnels, w.nvas[i].Routes = nil, nil
		w.nvas[i].Neighbors = w.nvas[i].Neighbors[:2]
	}
	keys := []string{"key-of-hub00-a", "", "key-of-hub10-a"}
	for _, ends := range [][2]int{{0, 2}, {2, 0}} {
		i, j := ends[0], ends[1]
		w.nvas[i].Tunnels = []*nvadv1.Tunnel{{Name: "wg0", State: "up", Local: addresses[i], Port: 51820, Mtu: 1420, Addresses: []string{inside[i] + "/30"}, Remotes: []string{addresses[j]},
			Wireguard: &nvadv1.WireGuard{PublicKey: keys[i], PeerPublicKey: keys[j], Endpoint: addresses[j] + ":51820"}}}
	}
}
