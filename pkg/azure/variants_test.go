package azure

import (
	"net/netip"
	"slices"
	"testing"
)

// variants are further ways to come to a code, with words or mends of their own.
var variants = []mutation{
	{"nvad has no Route Server at all", []Code{InstanceWithoutPeer, NoConnection}, func(w *world) {
		w.self.Neighbors = nil
		w.rs().Connections = w.rs().Connections[1:]
	}},
	{"nvad has no neighbor", []Code{InstanceWithoutPeer}, func(w *world) { w.self.Neighbors = nil }},
	{"the ninth peer", []Code{PeerLimit}, func(w *world) {
		w.rs().Connections = w.rs().Connections[1:]
		for i := range 7 {
			w.rs().Connections = append(w.rs().Connections, Connection{ID: "c", Peer: netip.AddrFrom4([4]byte{10, 0, 0, byte(20 + i)}), ASN: 65002, ProvisioningState: "Succeeded"})
		}
	}},
	{"a name that is taken", []Code{NoConnection}, func(w *world) { w.conn(0).Peer = ip("10.0.0.44"); w.conn(0).State = "Connected"; w.conn(0).ASN = 65004 }},
	{"neither address nor asn", []Code{PeerWrongAddress}, func(w *world) {
		w.conn(0).Peer, w.conn(0).ASN = ip("10.0.0.44"), 65004
		w.conn(0).Instances = []Instance{{Address: rs0}, {Address: rs1}}
	}},
	{"refused by both", []Code{ASNRefused}, func(w *world) {
		w.rs().Connections = w.rs().Connections[1:]
		for i := range w.self.Neighbors {
			w.self.Neighbors[i].LocalASN = 65520
		}
	}},
	{"closed for too many routes", []Code{RoutesPerPeerLimit}, func(w *world) {
		w.down[rs0] = true
		w.self.Neighbors[0].Reason = "Cease/Maximum Number of Prefixes Reached: Route Server counts current plus incoming routes, limit 4,000"
	}},
	{"a session that is down for a reason", []Code{SessionDown}, func(w *world) { w.down[rs0] = true; w.self.Neighbors[0].Reason = "no route to host" }},
	{"being changed", []Code{RouteServerNotProvisioned}, func(w *world) { w.rs().RoutingState = "Provisioning" }},
	{"connection being made", []Code{RouteServerNotProvisioned}, func(w *world) { w.conn(0).ProvisioningState = "Updating" }},
	{"vpn gateway with another asn", []Code{VPNGatewayMode}, func(w *world) {
		w.s.Gateways = append(w.s.Gateways, Gateway{ID: testSub + "virtualnetworkgateways/vpn", Name: "vpn", ResourceGroup: "rg-nva", VNet: w.vnet(0).ID, Type: "Vpn", ASN: 65010, ActiveActive: true})
	}},
	{"no peering on one side", []Code{PeeringNotConnected}, func(w *world) { w.vnet(0).Peerings = w.vnet(0).Peerings[1:]; w.peering(1).State = "Disconnected" }},
	{"no peering at all", []Code{PeeringNotConnected}, func(w *world) { w.vnet(0).Peerings, w.vnet(1).Peerings = w.vnet(0).Peerings[1:], nil }},
	{"last hop but one", []Code{ECMPHopDead}, func(w *world) {
		w.rs().Connections = append(w.rs().Connections, Connection{ID: "c-dead", Peer: ip("10.0.0.6"), ASN: 65006, ProvisioningState: "Succeeded", Instances: []Instance{{Address: rs0}}})
		t := w.vnet(1).Subnets[0].RouteTable
		t.Routes = append(t.Routes, UserRoute{Name: "ecmp", Prefix: pfx("10.90.0.0/16"), NextHopType: "VirtualApplianceEcmp", NextHops: []netip.Addr{nva1, ip("10.0.0.6")}})
	}},
	{"default without a route table", []Code{DefaultWithoutUDR}, func(w *world) { w.send("0.0.0.0/0"); w.vnet(0).Subnets[0].RouteTable = nil }},
	{"default to itself", []Code{DefaultWithoutUDR}, func(w *world) {
		w.send("0.0.0.0/0")
		w.vnet(0).Subnets[0].RouteTable.Routes = []UserRoute{{Name: "all", Prefix: pfx("0.0.0.0/0"), NextHopType: "VirtualAppliance", NextHops: []netip.Addr{nva1}}}
	}},
	{"private tunnel loop", []Code{TunnelLoop}, func(w *world) {
		w.send("172.20.0.0/16")
		w.self.Tunnels = append(w.self.Tunnels, SelfTunnel{Name: "vxlan1", Port: 8472, Remotes: []netip.Addr{ip("172.20.0.7")}})
		for i := range w.s.NICs[0].Rules {
			if r := &w.s.NICs[0].Rules[i]; r.Allow {
				r.Sources, r.Destinations = append(r.Sources, pfx("172.20.0.0/16")), append(r.Destinations, pfx("172.20.0.0/16"))
			}
		}
	}},
	{"vxlan both ways, two tunnels", []Code{NSGDropsVXLAN}, func(w *world) {
		w.self.Tunnels = append(w.self.Tunnels, SelfTunnel{Name: "vxlan1", Port: 4789, Local: nva1, Remotes: []netip.Addr{ip("10.10.0.5"), farNVA}})
		w.deny("no-vxlan", true, "Udp", "4789", 300)
		w.deny("no-vxlan", false, "*", "4789", 300)
		w.s.NICs[0].Rules = append(w.s.NICs[0].Rules, SecurityRule{Group: w.vnet(0).Subnets[0].SecurityGroup, Name: "nvad-vxlan0-in", Inbound: true, Priority: 299, Allow: true, Protocol: "Tcp", Ports: []string{"1-2"}})
	}},
	{"bgp dropped while it is up", []Code{NSGDropsBGP}, func(w *world) { w.deny("no-bgp", false, "Tcp", "100-200", 230) }},
	{"too many routes in all", []Code{RoutesTotalLimit}, func(w *world) { n := 10001; w.s.Gateways[0].Learned = &n }},
	{"too many towards the circuit", []Code{CircuitLimit}, func(w *world) { n := 1001; w.s.Gateways[0].Advertised = &n }},
	{"udr to another NVA", []Code{UDRWins}, func(w *world) {
		t := w.vnet(1).Subnets[0].RouteTable
		t.Routes = append(t.Routes, UserRoute{Name: "pinned", Prefix: pfx("10.50.0.0/16"), NextHopType: "VirtualAppliance", NextHops: []netip.Addr{nva2}})
	}},
	{"more routes than a peer may have", []Code{NoAdvertise, RoutesPerPeerLimit}, func(w *world) {
		for i := range 4001 {
			w.sendRoute(SelfRoute{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), 32), NextHop: nva1, ASPath: []uint32{65001}, NoAdvertise: true})
		}
	}},
}

func TestVariants(t *testing.T) {
	for _, m := range variants {
		t.Run(m.name, func(t *testing.T) {
			w := sound()
			m.do(w)
			s, self := w.derive()
			r := Diff(s, self, Options{})
			if got := codesOf(r); !slices.Equal(got, m.code) || len(r.Findings) != len(m.code) {
				t.Errorf("got %v, want %v", got, m.code)
				for _, f := range r.Findings {
					t.Log(f.Code, f.Reason)
				}
			}
			for _, f := range r.Findings {
				check(t, f)
			}
		})
	}
}
