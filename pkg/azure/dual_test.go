package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// dual is a sound Azure whose NVA also peers with the Route Server of another hub, and sends
// it the prefixes of its own.
func dual() (Snapshot, Self) {
	w := sound()
	hub2 := vnet("hub2", "10.20.0.0/16", Subnet{Name: "RouteServerSubnet", Prefixes: pfxs("10.20.1.0/26")})
	peer(&hub2, w.vnet(0), false, false)
	peer(w.vnet(0), &hub2, false, false)
	w.s.VNets = append(w.s.VNets, hub2)
	for i := range w.s.NICs[0].Rules {
		if r := &w.s.NICs[0].Rules[i]; r.Allow {
			r.Sources, r.Destinations = append(r.Sources, pfx("10.20.0.0/16")), append(r.Destinations, pfx("10.20.0.0/16"))
		}
	}
	s, self := w.derive()
	id := testSub + "virtualhubs/rs2"
	rs := RouteServer{
		ID: id, Name: "rs2", ResourceGroup: "rg-nva", VNet: hub2.ID, Addresses: []netip.Addr{ip("10.20.1.4"), ip("10.20.1.5")}, ASN: 65515, ProvisioningState: "Succeeded",
		Connections: []Connection{{ID: id + "/bgpconnections/nva1", Name: "nva1", Peer: nva1, ASN: 65001, ProvisioningState: "Succeeded"}},
	}
	for _, a := range rs.Addresses {
		n := SelfNeighbor{Address: a, LocalASN: 65001, State: "Established", Established: true, Received: []SelfRoute{{Prefix: pfx("10.20.0.0/16"), NextHop: a, ASPath: []uint32{65515}}}}
		in := Instance{Address: a}
		for _, p := range pfxs("10.0.0.0/16", "10.1.0.0/16", "10.50.0.0/16", "10.200.0.0/16") {
			n.Sent = append(n.Sent, SelfRoute{Prefix: p, NextHop: nva1, ASPath: []uint32{65001}})
			in.Learned = append(in.Learned, PeerRoute{Prefix: p, NextHop: nva1, ASPath: "65001"})
		}
		self.Neighbors = append(self.Neighbors, n)
		rs.Connections[0].Instances = append(rs.Connections[0].Instances, in)
	}
	s.RouteServers = append(s.RouteServers, rs)
	return s, self
}

// What one Route Server's routes do elsewhere is no fault of the other's.
func TestDual(t *testing.T) {
	s, self := dual()
	r := Diff(s, self, Options{})
	for _, f := range r.Findings {
		t.Errorf("%s: %s", f.Code, f.Reason)
	}
	for _, row := range r.Rows {
		if !row.InOrder {
			t.Errorf("not in order: %+v", row)
		}
	}
	for i, do := range []func(s *Snapshot, self *Self) []Code{
		func(s *Snapshot, self *Self) []Code { // the sessions with one Route Server only
			s.RouteServers[1].Connections = nil
			self.Neighbors[2].Established, self.Neighbors[3].Established = false, false
			return []Code{NoConnection}
		},
		func(s *Snapshot, self *Self) []Code { // the peering between the NVA and the other hub
			for i := range s.VNets[0].Peerings {
				s.VNets[0].Peerings[i].AllowForwardedTraffic = true
			}
			s.VNets[3].Peerings[0].AllowForwardedTraffic = false
			return []Code{PeeringNoForwardedTraffic}
		},
		func(s *Snapshot, self *Self) []Code { // a default route for the other hub does not come here
			s.VNets[0].Subnets[0].RouteTable.Routes = nil
			for i := 2; i < 4; i++ {
				self.Neighbors[i].Sent = append(self.Neighbors[i].Sent, SelfRoute{Prefix: pfx("0.0.0.0/0"), NextHop: nva1, ASPath: []uint32{65001}})
				in := &s.RouteServers[1].Connections[0].Instances[i-2]
				in.Learned = append(in.Learned, PeerRoute{Prefix: pfx("0.0.0.0/0"), NextHop: nva1, ASPath: "65001"})
			}
			return []Code{}
		},
		func(s *Snapshot, self *Self) []Code { // one that can't be read is not judged
			s.RouteServers = s.RouteServers[:1]
			s.Missing = []Missing{{ID: "/subscriptions/2", What: WhatRouteServer}}
			self.Neighbors[2].Sent = nil
			return []Code{}
		},
		func(s *Snapshot, self *Self) []Code { // the spoke uses the other hub's gateways
			s.VNets[1].Peerings[0].UseRemoteGateways = false
			peer(&s.VNets[1], &s.VNets[3], true, false)
			peer(&s.VNets[3], &s.VNets[1], false, true)
			learned := []EffectiveRoute{{Source: "VirtualNetworkGateway", Active: true, Prefixes: pfxs("10.50.0.0/16", "10.200.0.0/16"), NextHops: []netip.Addr{nva1}}}
			s.NICs[1].Routes = append(learned, slices.DeleteFunc(s.NICs[1].Routes, func(r EffectiveRoute) bool { return r.Source == "VirtualNetworkGateway" })...)
			return []Code{PrefixInVNetSpace} // information: it is still peered with the first hub
		},
	} {
		s, self := dual()
		want := do(&s, &self)
		r := Diff(s, self, Options{})
		if got := codesOf(r); !slices.Equal(got, want) {
			t.Errorf("%d: got %v, want %v", i, got, want)
			for _, f := range r.Findings {
				t.Log(f.Reason)
			}
		}
	}
}

// Each peering that is out of sync has a finding of its own, though the hub is part of all.
func TestTwoPeeringsOutOfSync(t *testing.T) {
	w := sound()
	spoke2 := vnet("spoke2", "10.2.0.0/16", Subnet{Name: "work", Prefixes: pfxs("10.2.0.0/24")})
	peer(w.vnet(0), &spoke2, false, true)
	peer(&spoke2, w.vnet(0), true, false)
	w.s.VNets = append(w.s.VNets, spoke2)
	hub := w.vnet(0)
	for _, p := range []*Peering{w.peering(0), &hub.Peerings[2]} {
		p.Sync = "RemoteNotInSync"
	}
	for _, p := range []*Peering{w.peering(1), &w.vnet(3).Peerings[0]} {
		p.Sync = "LocalNotInSync"
	}
	s, self := w.derive()
	r := Diff(s, self, Options{})
	if len(r.Findings) != 2 || r.Findings[0].Code != PeeringOutOfSync || r.Findings[1].Code != PeeringOutOfSync {
		t.Fatalf("got %+v", r.Findings)
	}
	for i, name := range []string{"spoke", "spoke2"} {
		f := r.Findings[i]
		check(t, f)
		if !strings.Contains(f.Mend[0].Text, "--name "+name+"-to-hub --subscription") {
			t.Errorf("%s: %q", name, f.Mend)
		}
	}
}

// A spoke that is peered neither with Route Server's VNet nor with the NVA's has two findings: each
// peering is made with a command of its own.
func TestSpokeWithoutBothPeerings(t *testing.T) {
	w := sound()
	w.s.NICs[0].VNet, w.s.NICs[0].Subnet, w.s.VM.VNet = w.vnet(2).ID, w.vnet(2).Subnets[0].ID, w.vnet(2).ID
	w.vnet(0).Peerings, w.vnet(1).Peerings = w.vnet(0).Peerings[1:], nil
	s, self := w.derive()
	var mends []string
	for _, f := range Diff(s, self, Options{}).Findings {
		if f.Code == PeeringNotConnected {
			check(t, f)
			mends = append(mends, fmt.Sprint(f.Mend))
		}
	}
	all := strings.Join(mends, "\n")
	if len(mends) != 2 || !strings.Contains(all, "spoke-to-hub") || !strings.Contains(all, "spoke-to-far") {
		t.Errorf("got %d:\n%s", len(mends), all)
	}
}

// A route table that the NVA's subnet and a spoke's share is one cause, and one finding.
func TestSharedTableWithoutPropagation(t *testing.T) {
	w := sound()
	shared := w.vnet(0).Subnets[0].RouteTable
	shared.Propagation = false
	w.vnet(1).Subnets[0].RouteTable = shared
	s, self := w.derive()
	r := Diff(s, self, Options{})
	if len(r.Findings) != 1 || r.Findings[0].Code != PropagationOff || r.Findings[0].Severity != Error {
		t.Errorf("got %+v", r.Findings)
	}
}

// Each remote of a tunnel whose packets come back gets a route, and a route table that is missing
// is made once: making it again would empty it.
func TestTunnelLoopsToTwoRemotes(t *testing.T) {
	for _, without := range []bool{false, true} {
		w := sound()
		w.send("198.51.100.0/24")
		w.self.Tunnels = append(w.self.Tunnels, SelfTunnel{Name: "vxlan1", Port: 8472, Remotes: []netip.Addr{ip("198.51.100.7"), ip("198.51.100.8")}})
		want := 2
		if without {
			w.vnet(0).Subnets[0].RouteTable, want = nil, 4
		}
		s, self := w.derive()
		found := 0
		for _, f := range Diff(s, self, Options{}).Findings {
			if f.Code != TunnelLoop {
				continue
			}
			found++
			check(t, f)
			all := fmt.Sprint(f.Mend)
			if len(f.Mend) != want || !strings.Contains(f.Reason, "198.51.100.7, 198.51.100.8") ||
				!strings.Contains(all, "198.51.100.7/32") || !strings.Contains(all, "198.51.100.8/32") {
				t.Errorf("%s: %q", f.Reason, f.Mend)
			}
		}
		if found != 1 {
			t.Errorf("%d findings", found)
		}
	}
}
