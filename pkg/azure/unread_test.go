package azure

import (
	"slices"
	"testing"
)

// unread takes a part out of a Snapshot, as if the identity may not read it.
type unread struct {
	name string
	what What
	do   func(s *Snapshot) []string // the IDs
}

var unreads = []unread{
	{"routes of the NVA's NIC", WhatEffectiveRoutes, func(s *Snapshot) []string { s.NICs[0].Routes = nil; return []string{s.NICs[0].ID} }},
	{"routes of the spoke's NIC", WhatEffectiveRoutes, func(s *Snapshot) []string { s.NICs[1].Routes = nil; return []string{s.NICs[1].ID} }},
	{"all effective routes", WhatEffectiveRoutes, func(s *Snapshot) []string {
		s.NICs[0].Routes, s.NICs[1].Routes = nil, nil
		return []string{s.NICs[0].ID, s.NICs[1].ID}
	}},
	{"rules", WhatEffectiveRules, func(s *Snapshot) []string { s.NICs[0].Rules = nil; return []string{s.NICs[0].ID} }},
	{"the NVA's NIC", WhatNIC, func(s *Snapshot) []string { id := s.NICs[0].ID; s.NICs = s.NICs[1:]; return []string{id} }},
	{"the spoke's NIC", WhatNIC, func(s *Snapshot) []string { id := s.NICs[1].ID; s.NICs = s.NICs[:1]; return []string{id} }},
	{"the hub", WhatVNet, func(s *Snapshot) []string { return dropVNet(s, 0) }},
	{"the spoke", WhatVNet, func(s *Snapshot) []string { return dropVNet(s, 1) }},
	{"a peered VNet", WhatVNet, func(s *Snapshot) []string { return dropVNet(s, 2) }},
	{"the NVA's route table", WhatRouteTable, func(s *Snapshot) []string { return dropTable(s, 0) }},
	{"the spoke's route table", WhatRouteTable, func(s *Snapshot) []string { return dropTable(s, 1) }},
	{"Route Server", WhatRouteServer, func(s *Snapshot) []string { s.RouteServers, s.Gateways = nil, nil; return []string{"/subscriptions/x"} }},
	{"connections", WhatConnections, func(s *Snapshot) []string { s.RouteServers[0].Connections = nil; return []string{s.RouteServers[0].ID} }},
	{"learned routes", WhatLearned, func(s *Snapshot) []string {
		var ids []string
		for i := range s.RouteServers[0].Connections {
			c := &s.RouteServers[0].Connections[i]
			c.Instances = nil
			ids = append(ids, c.ID)
		}
		return ids
	}},
	{"other NVAs", WhatNVAs, func(s *Snapshot) []string { s.NVAs = nil; return []string{"/subscriptions"} }},
	{"gateways", WhatGateway, func(s *Snapshot) []string { s.Gateways = nil; return []string{s.VNets[0].ID} }},
	{"the VM", WhatVM, func(s *Snapshot) []string { s.VM.Addresses = nil; return []string{s.VM.ID} }},
}

func dropVNet(s *Snapshot, i int) []string {
	id := s.VNets[i].ID
	s.VNets = slices.Delete(slices.Clone(s.VNets), i, i+1)
	return []string{id}
}

// dropTable leaves what package arm returns for a table that it could not read.
func dropTable(s *Snapshot, i int) []string {
	t := s.VNets[i].Subnets[0].RouteTable
	t.Propagation, t.Routes = true, nil
	return []string{t.ID}
}

// What was not read causes no finding: neither in a sound Azure, nor another one than what
// is broken. A session that is down stays down, also if its reason could not be read.
func TestUnread(t *testing.T) {
	for _, u := range unreads {
		for _, m := range append([]mutation{{"sound", nil, func(*world) {}}}, mutations...) {
			w := sound()
			m.do(w)
			s, self := w.derive()
			for _, id := range u.do(&s) {
				s.Missing = append(s.Missing, Missing{ID: id, What: u.what, Permission: "Microsoft.Network/x/read"})
			}
			r := Diff(s, self, Options{})
			if m.name == "wrong peer address" { // whether anybody is there can't be seen
				m.code = append(slices.Clone(m.code), NoConnection)
			}
			down := slices.ContainsFunc(self.Neighbors, func(n SelfNeighbor) bool { return !n.Established })
			for _, c := range codesOf(r) {
				if !slices.Contains(m.code, c) && !(c == SessionDown && down) && c != NoAdvertise {
					t.Errorf("%s without %s: %s", m.name, u.name, c)
				}
			}
			if len(r.NotJudged) == 0 || r.NotJudged[0].Effect == "" || r.NotJudged[0].Permission == "" {
				t.Errorf("without %s: not judged %+v", u.name, r.NotJudged)
			}
			for _, f := range r.Findings {
				check(t, f)
			}
		}
	}
	for _, w := range []What{WhatVM, WhatNVAs, WhatNIC, WhatEffectiveRoutes, WhatEffectiveRules, WhatVNet, WhatRouteTable, WhatRouteServer, WhatConnections, WhatLearned, WhatAdvertised, WhatGateway} {
		if effects[w] == "" {
			t.Errorf("no effect for %s", w)
		}
	}
}

// If Azure has no Route Server at all, neighbors that are down are one finding; if it
// could not be read, or they are up, they are none.
func TestNoRouteServer(t *testing.T) {
	for _, tt := range []struct {
		name string
		up   bool
		miss What
		want []Code
	}{
		{"gone", false, "", []Code{NoRouteServer}},
		{"gone, and a gateway could not be read", false, WhatGateway, []Code{NoRouteServer}},
		{"not read", false, WhatRouteServer, nil},
		{"its VNet was not read", false, WhatVNet, nil},
		{"the sessions are up", true, "", nil},
	} {
		s, self := sound().derive()
		s.RouteServers, s.Gateways, s.VNets[0].Peerings = nil, nil, nil
		for i := range self.Neighbors {
			if self.Neighbors[i].Established = tt.up; !tt.up {
				self.Neighbors[i].Sent, self.Neighbors[i].Received = nil, nil
			}
		}
		if tt.miss != "" {
			s.Missing = []Missing{{ID: "/x", What: tt.miss}}
		}
		var got []Finding
		for _, f := range Diff(s, self, Options{}).Findings {
			if f.Severity == Error {
				got = append(got, f)
				check(t, f)
			}
		}
		if len(got) != len(tt.want) || len(got) == 1 && (got[0].Code != tt.want[0] || len(got[0].Instances) != 2) {
			t.Errorf("%s: %+v, want %v", tt.name, got, tt.want)
		}
	}
}
