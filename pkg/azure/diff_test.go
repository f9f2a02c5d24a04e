package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutation breaks one thing.
type mutation struct {
	name string
	code []Code
	do   func(w *world)
}

var off = false

// mutations has at least one for each code.
var mutations = []mutation{
	{"vnet prefix", []Code{PrefixInVNetSpace}, func(w *world) { w.send("10.0.128.0/17") }},
	{"spoke prefix", []Code{PrefixInVNetSpace}, func(w *world) { w.send("10.1.0.0/16") }},
	{"peered prefix", []Code{PrefixInVNetSpace}, func(w *world) {
		peer(w.vnet(1), w.vnet(2), false, false)
		peer(w.vnet(2), w.vnet(1), false, false)
		w.send("10.10.0.0/16")
	}},
	{"server subnet", []Code{RouteServerSubnet}, func(w *world) { w.send("10.0.1.0/26") }},
	{"asn in path", []Code{RouteServerASNInPath}, func(w *world) {
		w.sendRoute(SelfRoute{Prefix: pfx("10.71.0.0/16"), NextHop: nva1, ASPath: []uint32{65001, 65515, 64580}})
	}},
	{"udr", []Code{UDRWins}, func(w *world) {
		t := w.vnet(1).Subnets[0].RouteTable
		t.Routes = append(t.Routes, UserRoute{Name: "old-nva", Prefix: pfx("10.50.0.0/16"), NextHopType: "VirtualAppliance", NextHops: []netip.Addr{ip("10.0.0.99")}})
	}},
	{"udr to nowhere", []Code{UDRWins}, func(w *world) {
		t := w.vnet(1).Subnets[0].RouteTable
		t.Routes = append(t.Routes, UserRoute{Name: "drop", Prefix: pfx("10.51.0.0/16"), NextHopType: "None"})
	}},
	{"propagation at the spoke", []Code{PropagationOff}, func(w *world) { w.vnet(1).Subnets[0].RouteTable.Propagation = false }},
	{"propagation at the NVA", []Code{PropagationOff}, func(w *world) { w.vnet(0).Subnets[0].RouteTable.Propagation = false }},
	{"shorter path", []Code{ShorterPathElsewhere}, func(w *world) {
		w.sendRoute(SelfRoute{Prefix: pfx("10.60.0.0/16"), NextHop: nva1, ASPath: []uint32{65001, 65001, 65001}})
	}},
	{"gateway wins", []Code{GatewayWins}, func(w *world) { w.send("10.200.0.0/16") }},
	{"no-advertise", []Code{NoAdvertise}, func(w *world) {
		w.sendRoute(SelfRoute{Prefix: pfx("10.72.0.0/16"), NextHop: nva1, ASPath: []uint32{65001}, NoAdvertise: true})
	}},
	{"next hop", []Code{NextHopUnreachable}, func(w *world) {
		w.sendRoute(SelfRoute{Prefix: pfx("10.73.0.0/16"), NextHop: ip("192.168.7.7"), ASPath: []uint32{65001}})
	}},
	{"default", []Code{DefaultWithoutUDR}, func(w *world) {
		w.send("0.0.0.0/0")
		w.vnet(0).Subnets[0].RouteTable.Routes = nil
	}},
	{"tunnel loop", []Code{TunnelLoop}, func(w *world) {
		w.send("198.51.100.0/24")
		w.self.Tunnels = append(w.self.Tunnels, SelfTunnel{Name: "vxlan1", Port: 8472, Remotes: []netip.Addr{ip("198.51.100.7")}})
		n := &w.s.NICs[0]
		for i := range n.Rules { // the tag VirtualNetwork has what BGP brings
			if n.Rules[i].Allow {
				n.Rules[i].Sources, n.Rules[i].Destinations = append(n.Rules[i].Sources, pfx("198.51.100.0/24")), append(n.Rules[i].Destinations, pfx("198.51.100.0/24"))
			}
		}
	}},
	{"instances differ", []Code{InstancesDiffer}, func(w *world) {
		n := &w.self.Neighbors[0]
		n.Sent = append(n.Sent, SelfRoute{Prefix: pfx("10.74.0.0/16"), NextHop: nva1, ASPath: []uint32{65001}})
	}},
	{"not learned", []Code{NotLearned}, func(w *world) { w.send("10.75.0.0/16"); w.lost[pfx("10.75.0.0/16")] = true }},
	{"not injected", []Code{NotInjected}, func(w *world) { w.send("10.76.0.0/16"); w.uninjected[pfx("10.76.0.0/16")] = true }},

	{"no neighbor", []Code{InstanceWithoutPeer}, func(w *world) { w.self.Neighbors = w.self.Neighbors[:1] }},
	{"no connection", []Code{NoConnection}, func(w *world) { w.rs().Connections = w.rs().Connections[1:] }},
	{"wrong asn", []Code{PeerWrongASN}, func(w *world) { w.conn(0).ASN = 65009 }},
	{"wrong peer address", []Code{PeerWrongAddress}, func(w *world) {
		w.conn(0).Peer = ip("10.0.0.44")
		w.conn(0).Instances = []Instance{{Address: rs0}, {Address: rs1}}
	}},
	{"wrong neighbor address", []Code{PeerWrongAddress}, func(w *world) { w.self.Neighbors[1].Address = ip("10.0.1.6") }},
	{"asn refused", []Code{ASNRefused}, func(w *world) {
		for i := range w.self.Neighbors {
			w.self.Neighbors[i].LocalASN = 4200000001
		}
	}},
	{"session down", []Code{SessionDown}, func(w *world) { w.down[rs1] = true }},
	{"not provisioned", []Code{RouteServerNotProvisioned}, func(w *world) { w.rs().ProvisioningState = "Failed" }},
	{"connection not provisioned", []Code{RouteServerNotProvisioned}, func(w *world) { w.conn(0).ProvisioningState = "Failed" }},

	{"peers", []Code{PeerLimit}, func(w *world) {
		for i := range 6 {
			w.rs().Connections = append(w.rs().Connections, Connection{ID: fmt.Sprintf("c%d", i), Peer: ip(fmt.Sprintf("10.0.0.%d", 20+i)), ASN: 65002, ProvisioningState: "Succeeded"})
		}
	}},
	{"routes of a peer", []Code{RoutesPerPeerLimit}, func(w *world) {
		for i := range 2100 { // no-advertise, so that the circuit has room
			w.sendRoute(SelfRoute{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), 32), NextHop: nva1, ASPath: []uint32{65001}, NoAdvertise: true})
		}
	}},
	{"routes in all", []Code{RoutesTotalLimit}, func(w *world) { n := 9000; w.s.Gateways[0].Learned = &n }},
	{"circuit", []Code{CircuitLimit}, func(w *world) { n := 990; w.s.Gateways[0].Advertised = &n }},

	{"peering down", []Code{PeeringNotConnected}, func(w *world) { w.peering(0).State, w.peering(1).State = "Disconnected", "Initiated" }},
	{"out of sync", []Code{PeeringOutOfSync}, func(w *world) { w.peering(0).Sync, w.peering(1).Sync = "LocalNotInSync", "RemoteNotInSync" }},
	{"no access", []Code{PeeringNoAccess}, func(w *world) { w.peering(1).AllowVNetAccess = false }},
	{"no forwarded traffic", []Code{PeeringNoForwardedTraffic}, func(w *world) { w.peering(1).AllowForwardedTraffic = false }},
	{"no remote gateways", []Code{SpokeNoRemoteGateways}, func(w *world) { w.peering(1).UseRemoteGateways = false }},
	{"no gateway transit", []Code{SpokeNoRemoteGateways}, func(w *world) { w.peering(0).AllowGatewayTransit = false }},
	{"subnet left out", []Code{PeeringLeavesOutSubnet}, func(w *world) {
		p := w.peering(1)
		p.CompleteVNets, p.LocalSubnets = false, []string{"other"}
	}},
	{"routing appliance", []Code{AppliancePeering}, func(w *world) {
		w.vnet(2).Peerings[0].AllowForwardedTraffic = false
		t := table("rt-far")
		t.Routes = []UserRoute{{Name: "fast", Prefix: pfx("10.1.0.0/16"), NextHopType: "VirtualAppliance", NextHops: []netip.Addr{ip("10.0.9.4")}}}
		w.vnet(2).Subnets[0].RouteTable = t
	}},
	{"branch to branch", []Code{BranchToBranchOff}, func(w *world) { w.rs().BranchToBranch = false }},
	{"vpn gateway", []Code{VPNGatewayMode}, func(w *world) {
		w.s.Gateways = append(w.s.Gateways, Gateway{ID: testSub + "virtualnetworkgateways/vpn", Name: "vpn", VNet: w.vnet(0).ID, Type: "Vpn", ASN: 65515})
	}},
	{"dead hop", []Code{ECMPHopDead}, func(w *world) {
		w.rs().Connections = append(w.rs().Connections, Connection{ID: "c-dead", Peer: ip("10.0.0.6"), ASN: 65006, ProvisioningState: "Succeeded", State: "NotConnected", Instances: []Instance{{Address: rs0}, {Address: rs1}}})
		t := w.vnet(1).Subnets[0].RouteTable
		t.Routes = append(t.Routes, UserRoute{Name: "ecmp", Prefix: pfx("10.90.0.0/16"), NextHopType: "VirtualApplianceEcmp", NextHops: []netip.Addr{nva1, nva2, ip("10.0.0.6")}})
	}},

	{"ip forwarding", []Code{IPForwardingOff}, func(w *world) { w.s.NICs[0].IPForwarding = false }},
	{"vxlan in", []Code{NSGDropsVXLAN}, func(w *world) { w.deny("no-vxlan", true, "Udp", "4789-4789", 200) }},
	{"vxlan out", []Code{NSGDropsVXLAN}, func(w *world) {
		w.deny("no-vxlan", false, "All", "4700-4783", 100)
		w.deny("no-vxlan-2", false, "All", "4789", 101)
	}},
	{"bfd in", []Code{NSGDropsBFD}, func(w *world) { w.deny("no-bfd", true, "Udp", "4784-4784", 210) }},
	{"bfd out", []Code{NSGDropsBFD}, func(w *world) { w.deny("no-bfd", false, "Udp", "4784-4784", 220) }},
	{"bgp out", []Code{NSGDropsBGP}, func(w *world) { w.deny("no-bgp", false, "Tcp", "179-179", 230) }},
	{"no way out", []Code{NoWayOut}, func(w *world) { w.vnet(0).Subnets[0].DefaultOutbound = &off }},
}

func codesOf(r Report) []Code {
	codes := []Code{}
	for _, f := range r.Findings {
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func union(a, b []Code) []Code {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

func TestSound(t *testing.T) {
	s, self := sound().derive()
	r := Diff(s, self, Options{})
	for _, f := range r.Findings {
		t.Errorf("found %s: %s", f.Code, f.Reason)
	}
	if len(r.Rows) != 2*(3+4) {
		t.Errorf("%d rows", len(r.Rows))
	}
	for _, row := range r.Rows {
		sent := strings.HasPrefix(row.Prefix.String(), "10.5")
		want := Row{
			RouteServer: s.RouteServers[0].ID, Instance: row.Instance, Prefix: row.Prefix, InOrder: true, Codes: []Code{},
			Sent: Cell{State: yesNo(sent)}, Learned: Cell{State: yesNo(sent)}, Back: Cell{State: yesNo(!sent)},
		}
		if !row.InOrder || row.Sent != want.Sent || row.Learned != want.Learned || row.Back != want.Back || row.NICs[0].State != Yes || row.NICs[1].State != Yes || row.Note != "" {
			t.Errorf("got %+v", row)
		}
	}
}

func TestMutations(t *testing.T) {
	seen := map[Code]bool{}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			w := sound()
			m.do(w)
			s, self := w.derive()
			r := Diff(s, self, Options{})
			want := slices.Clone(m.code)
			if m.name == "routes of a peer" {
				want = union(want, []Code{NoAdvertise})
			}
			if got := codesOf(r); !slices.Equal(got, union(want, nil)) || len(r.Findings) != len(want) {
				t.Errorf("got %v (%d findings), want %v", got, len(r.Findings), want)
				for _, f := range r.Findings {
					t.Log(f.Code, f.Object, f.Reason)
				}
			}
			for _, f := range r.Findings {
				check(t, f)
			}
			for _, row := range r.Rows {
				if !row.InOrder && len(row.Codes) == 0 {
					t.Errorf("row not in order, and no code: %+v", row)
				}
			}
		})
		for _, c := range m.code {
			seen[c] = true
		}
	}
	for _, c := range Codes {
		if !seen[c] && c != NoRouteServer { // it hides nearly all others, see TestNoRouteServer
			t.Errorf("no mutation for %s", c)
		}
	}
}

// check reports what a finding lacks that every finding must have.
func check(t *testing.T, f Finding) {
	t.Helper()
	if f.Object == "" || f.Name == "" || !strings.HasSuffix(f.Reason, ".") || strings.Contains(f.Reason, "  ") || len(f.Mend) == 0 {
		t.Errorf("incomplete: %+v", f)
	}
	for _, m := range f.Mend {
		if m.Text == "" || strings.Contains(m.Text, "invalid") || strings.Contains(m.Text, "''") {
			t.Errorf("%s: mend %q", f.Code, m.Text)
		}
	}
}

// hidden names the pairs of mutations of which one rightly hides a code of the other.
func hidden(a, b mutation, c Code) bool {
	name := func(names ...string) bool { return slices.Contains(names, a.name) || slices.Contains(names, b.name) }
	// A session that is not up sends nothing: what is wrong with the routes is not seen.
	noSession := name("no connection", "wrong asn", "wrong peer address", "asn refused", "not provisioned", "connection not provisioned", "bgp out")
	switch c {
	case PrefixInVNetSpace, RouteServerSubnet, RouteServerASNInPath, ShorterPathElsewhere, GatewayWins, NoAdvertise, NextHopUnreachable, DefaultWithoutUDR,
		TunnelLoop, NotLearned, NotInjected, UDRWins, BranchToBranchOff, InstancesDiffer, RoutesPerPeerLimit:
		if noSession {
			return true
		}
	}
	switch c {
	case InstancesDiffer: // only one instance has a session
		return name("no neighbor", "wrong neighbor address", "session down")
	case SessionDown: // it is explained, or there is no such neighbor
		return noSession || name("no neighbor", "wrong neighbor address")
	case PropagationOff: // nothing was sent that could be missing
		return noSession
	case NoConnection, PeerWrongASN: // one command mends both
		return name("asn refused", "no connection", "wrong peer address")
	case PeerWrongAddress: // as above, or it is the neighbor itself that is missing
		return name("asn refused", "no connection", "no neighbor")
	case RouteServerNotProvisioned: // there is no connection of this NVA that could be
		return name("no connection", "wrong peer address")
	case PeerLimit: // one peer fewer
		return name("no connection")
	case DefaultWithoutUDR, TunnelLoop: // the NVA's NIC takes no routes at all
		return name("propagation at the NVA")
	case PeeringOutOfSync: // a peering that is made anew is in sync
		return name("peering down")
	case VPNGatewayMode: // it does not matter
		return name("branch to branch")
	}
	return false
}

// TestPairs applies all pairs of mutations: the codes are those of both.
func TestPairs(t *testing.T) {
	for i, a := range mutations {
		for _, b := range mutations[:i] {
			w := sound()
			a.do(w)
			b.do(w)
			s, self := w.derive()
			got := codesOf(Diff(s, self, Options{}))
			for _, c := range union(a.code, b.code) {
				if !slices.Contains(got, c) && !hidden(a, b, c) {
					t.Errorf("%s + %s: %s is missing in %v", a.name, b.name, c, got)
				}
			}
			for _, c := range got {
				if !slices.Contains(union(a.code, b.code), c) && c != NoAdvertise {
					t.Errorf("%s + %s: %s is too much", a.name, b.name, c)
				}
			}
		}
	}
}

// faultless are changes of the sound hub that break nothing.
var faultless = map[string]func(w *world){
	"young": func(w *world) {
		w.sendRoute(SelfRoute{Prefix: pfx("10.80.0.0/16"), NextHop: nva1, ASPath: []uint32{65001}, Since: taken.Add(-20 * time.Second)})
		w.lost[pfx("10.80.0.0/16")] = true
	},
	"young, not injected": func(w *world) {
		w.sendRoute(SelfRoute{Prefix: pfx("10.80.0.0/16"), NextHop: nva1, ASPath: []uint32{65001}, Since: taken.Add(-20 * time.Second)})
		w.uninjected[pfx("10.80.0.0/16")] = true
	},
	"drained": func(w *world) {
		w.self.Drained = true
		w.sendRoute(SelfRoute{Prefix: pfx("10.60.0.0/16"), NextHop: nva1, ASPath: []uint32{65001, 65001, 65001}})
	},
	"supernet":         func(w *world) { w.send("10.0.0.0/8") },
	"default with udr": func(w *world) { w.send("0.0.0.0/0") },
	"load balancer": func(w *world) {
		w.sendRoute(SelfRoute{Prefix: pfx("10.81.0.0/16"), NextHop: ip("10.0.0.100"), ASPath: []uint32{65001}})
	},
	"unknown next hop": func(w *world) { w.sendRoute(SelfRoute{Prefix: pfx("10.81.0.0/16"), ASPath: []uint32{65001}}) },
	"udr to the NVA": func(w *world) {
		t := w.vnet(1).Subnets[0].RouteTable
		t.Routes = append(t.Routes, UserRoute{Name: "u", Prefix: pfx("10.50.0.0/16"), NextHopType: "VirtualAppliance", NextHops: []netip.Addr{nva1}})
	},
	"spoke with one udr": func(w *world) {
		t := w.vnet(1).Subnets[0].RouteTable
		t.Propagation = false
		t.Routes = append(t.Routes, UserRoute{Name: "u", Prefix: pfx("10.0.0.0/8"), NextHopType: "VirtualAppliance", NextHops: []netip.Addr{nva1}})
	},
	"own udr against loops": func(w *world) {
		t := w.vnet(0).Subnets[0].RouteTable
		t.Routes = append(t.Routes, UserRoute{Name: "u", Prefix: pfx("10.50.0.0/16"), NextHopType: "None"})
	},
	"other vnet without flags": func(w *world) { w.vnet(2).Peerings[0].AllowForwardedTraffic = false },
	"own udr for on-premises": func(w *world) {
		t := w.vnet(0).Subnets[0].RouteTable
		t.Propagation = false
		t.Routes = append(t.Routes, UserRoute{Name: "u", Prefix: pfx("10.128.0.0/9"), NextHopType: "VirtualNetworkGateway"}, UserRoute{Name: "o", Prefix: pfx("10.60.0.0/16"), NextHopType: "VirtualAppliance", NextHops: []netip.Addr{nva2}})
	},
}

// Young routes and a drained NVA are no faults.
func TestNoFalseAlarm(t *testing.T) {
	for name, do := range faultless {
		t.Run(name, func(t *testing.T) {
			w := sound()
			do(w)
			s, self := w.derive()
			r := Diff(s, self, Options{})
			for _, f := range r.Findings {
				t.Errorf("%s: %s", f.Code, f.Reason)
			}
			for _, row := range r.Rows {
				if !row.InOrder {
					t.Errorf("not in order: %+v", row)
				}
			}
		})
	}
	t.Run("withdrawn", func(t *testing.T) {
		s, self := sound().derive()
		for i := range self.Neighbors {
			self.Neighbors[i].Sent = self.Neighbors[i].Sent[1:]
		}
		r := Diff(s, self, Options{})
		if len(r.Findings) > 0 {
			t.Errorf("got %v", r.Findings)
		}
		for _, row := range r.Rows {
			if !row.InOrder || row.Learned.State == Yes && row.Sent.State == No && row.Note == "" {
				t.Errorf("got %+v", row)
			}
		}
	})
}
