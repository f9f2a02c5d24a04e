package azure

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// differ is one comparison: the two halves, by what they are looked up with, and the
// findings so far.
type differ struct {
	s    *Snapshot
	self *Self
	o    Options

	lacks    map[What]map[string]bool // IDs of what could not be read
	vnets    map[string]*VNet
	subnets  map[string]*Subnet
	peerings map[[2]string]*Peering // by the IDs of both VNets
	nics     []*nicView             // the NVA's own first
	ownAddrs map[netip.Addr]bool
	servers  []*server
	hubs     map[*VNet]*server // of spokes
	sent     []netip.Prefix    // by nvad, to any instance, in ascending order
	// broken has the cause for which a VNet gets no routes of a Route Server, or no
	// packets of the NVA.
	broken  map[string]*finding
	found   map[findingKey]*finding
	denials map[findingKey][]denial
}

// server is a Route Server that nvad talks to, or should.
type server struct {
	rs        *RouteServer // nil: it could not be read
	vnet      *VNet        // nil: it could not be read
	subnet    prefixSet    // RouteServerSubnet
	conn      *Connection  // of this NVA
	instances []*instance
	prefixes  []netip.Prefix        // of its rows
	others    map[netip.Prefix]int  // the shortest path that another NVA sent
	peers     map[netip.Addr]bool   // other NVAs
	space     prefixSet             // of its VNet
	near      prefixSet             // of its VNet and those that are peered with it
	sentAny   map[netip.Prefix]bool // to any instance
}

// instance is one instance of a Route Server.
type instance struct {
	addr           netip.Addr
	neighbor       *SelfNeighbor // nil: nvad has none
	sent, received map[netip.Prefix]*SelfRoute
	learned        map[netip.Prefix]*PeerRoute
	learnedSeen    bool
	cause          *finding // why nothing passes between nvad and the instance
}

func (in *instance) up() bool { return in.neighbor != nil && in.neighbor.Established }

// blame makes f the reason why the session of in is down, unless one is known.
func (in *instance) blame(f *finding) {
	f.instances[in.addr] = true
	if in.cause == nil {
		in.cause = f
	}
}

func (sv *server) allUp() bool {
	return !slices.ContainsFunc(sv.instances, func(in *instance) bool { return !in.up() })
}

func (sv *server) anyUp() bool { return slices.ContainsFunc(sv.instances, (*instance).up) }

func newDiffer(s *Snapshot, self *Self, o Options) *differ {
	d := &differ{
		s: s, self: self, o: o,
		lacks: map[What]map[string]bool{}, vnets: map[string]*VNet{}, subnets: map[string]*Subnet{}, peerings: map[[2]string]*Peering{},
		ownAddrs: map[netip.Addr]bool{}, broken: map[string]*finding{}, found: map[findingKey]*finding{}, denials: map[findingKey][]denial{}, hubs: map[*VNet]*server{},
	}
	d.o.Listed = cmp.Or(max(o.Listed, 0), 10)
	for _, m := range s.Missing {
		if d.lacks[m.What] == nil {
			d.lacks[m.What] = map[string]bool{}
		}
		d.lacks[m.What][m.ID] = true
	}
	for i := range s.VNets {
		v := &s.VNets[i]
		d.vnets[v.ID] = v
		for j := range v.Subnets {
			d.subnets[v.Subnets[j].ID] = &v.Subnets[j]
		}
		for j := range v.Peerings {
			d.peerings[[2]string{v.ID, v.Peerings[j].Remote}] = &v.Peerings[j]
		}
	}
	d.indexNICs()
	d.indexServers()
	return d
}

// side returns v's side of its peering with another VNet; nil if it has none.
func (d *differ) side(v *VNet, remote string) *Peering { return d.peerings[[2]string{v.ID, remote}] }

func (d *differ) indexNICs() {
	for _, a := range d.s.VM.Addresses {
		d.ownAddrs[a.Unmap()] = true
	}
	for i := range d.s.NICs {
		v := d.view(&d.s.NICs[i])
		d.nics = append(d.nics, v)
		for _, a := range v.nic.Addresses {
			if v.own {
				d.ownAddrs[a.Unmap()] = true
			}
		}
	}
	delete(d.ownAddrs, netip.Addr{})
	// Own NICs first, among them the primary one first.
	rank := func(v *nicView) int {
		switch {
		case v.own && v.nic.Primary:
			return 0
		case v.own:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(d.nics, func(a, b *nicView) int { return cmp.Compare(rank(a), rank(b)) })
}

// own returns the NVA's own NICs.
func (d *differ) own() []*nicView {
	n := slices.IndexFunc(d.nics, func(v *nicView) bool { return !v.own })
	if n < 0 {
		n = len(d.nics)
	}
	return d.nics[:n]
}

// spokes returns the NICs that the operator named.
func (d *differ) spokes() []*nicView { return d.nics[len(d.own()):] }

// ownAddress returns the address of the NVA for its peers.
func (d *differ) ownAddress() netip.Addr {
	for _, v := range d.own() {
		if len(v.nic.Addresses) > 0 {
			return v.nic.Addresses[0]
		}
	}
	if len(d.s.VM.Addresses) > 0 {
		return d.s.VM.Addresses[0]
	}
	return netip.Addr{}
}

// lacking reports whether a part with one of the IDs could not be read; without IDs,
// whether any could not.
func (d *differ) lacking(what What, ids ...string) bool {
	if len(ids) == 0 {
		return len(d.lacks[what]) > 0
	}
	return slices.ContainsFunc(ids, func(id string) bool { return d.lacks[what][id] })
}

func (d *differ) indexServers() {
	neighbors := map[netip.Addr]*SelfNeighbor{}
	for i := range d.self.Neighbors {
		n := &d.self.Neighbors[i]
		neighbors[n.Address] = n
	}
	matched := map[netip.Addr]bool{}
	for i := range d.s.RouteServers {
		rs := &d.s.RouteServers[i]
		sv := &server{rs: rs, vnet: d.vnets[rs.VNet], peers: map[netip.Addr]bool{}, others: map[netip.Prefix]int{}}
		d.indexVNet(sv)
		for _, a := range rs.Addresses {
			if !a.IsValid() || matched[a] {
				continue
			}
			matched[a] = true
			sv.instances = append(sv.instances, newInstance(a, neighbors[a]))
		}
		d.indexConnections(sv)
		if d.relevant(sv) {
			sv.index()
			d.servers = append(d.servers, sv)
		}
	}
	// The rest may be instances of Route Servers that could not be read: nobody knows which
	// belong together.
	for i := range d.self.Neighbors {
		if n := &d.self.Neighbors[i]; !matched[n.Address] && n.Address.IsValid() {
			matched[n.Address] = true
			sv := &server{instances: []*instance{newInstance(n.Address, n)}}
			sv.index()
			d.servers = append(d.servers, sv)
		}
	}
	for _, sv := range d.servers {
		for _, p := range sv.prefixes {
			if sv.sentAny[p] {
				d.sent = append(d.sent, p)
			}
		}
	}
	slices.SortFunc(d.sent, netip.Prefix.Compare)
	d.sent = slices.Compact(d.sent)
}

func newInstance(a netip.Addr, n *SelfNeighbor) *instance {
	in := &instance{addr: a, neighbor: n}
	if n != nil {
		in.sent, in.received = routesByPrefix(n.Sent), routesByPrefix(n.Received)
	}
	return in
}

func routesByPrefix(routes []SelfRoute) map[netip.Prefix]*SelfRoute {
	out := make(map[netip.Prefix]*SelfRoute, len(routes))
	for i := range routes {
		if p := routes[i].Prefix; p.IsValid() && p.Addr().Is4() {
			out[p.Masked()] = &routes[i]
		}
	}
	return out
}

// indexVNet finds the address space and the subnet of a Route Server.
func (d *differ) indexVNet(sv *server) {
	if sv.vnet == nil {
		return
	}
	sv.space.add(sv.vnet.Space...)
	sv.near.add(sv.vnet.Space...)
	for _, s := range sv.vnet.Subnets {
		if strings.EqualFold(s.Name, "RouteServerSubnet") {
			sv.subnet.add(s.Prefixes...)
		}
	}
	for _, p := range sv.vnet.Peerings {
		sv.near.add(p.Space...)
		if far := d.vnets[p.Remote]; far != nil {
			sv.near.add(far.Space...)
		}
	}
}

// indexConnections finds this NVA's connection, what the instances learned from it, and
// what other NVAs sent.
func (d *differ) indexConnections(sv *server) {
	for i := range sv.rs.Connections {
		c := &sv.rs.Connections[i]
		if d.ownAddrs[c.Peer] {
			sv.conn = cmp.Or(sv.conn, c)
			continue
		}
		sv.peers[c.Peer] = true
		for _, in := range c.Instances {
			for _, r := range in.Learned {
				n := pathLength(r.ASPath)
				if have, ok := sv.others[r.Prefix]; !ok || n < have {
					sv.others[r.Prefix] = n
				}
			}
		}
	}
	if sv.conn == nil || d.lacking(WhatLearned, sv.conn.ID) {
		return
	}
	sides := map[netip.Addr]*Instance{}
	for i := range sv.conn.Instances {
		sides[sv.conn.Instances[i].Address] = &sv.conn.Instances[i]
	}
	for _, in := range sv.instances {
		side := sides[in.addr]
		if side == nil {
			continue
		}
		in.learnedSeen = true
		in.learned = make(map[netip.Prefix]*PeerRoute, len(side.Learned))
		for j := range side.Learned {
			if r := &side.Learned[j]; r.Prefix.IsValid() && r.Prefix.Addr().Is4() {
				in.learned[r.Prefix.Masked()] = r
			}
		}
	}
}

// pathLength counts the ASNs of a path as Azure writes it.
func pathLength(path string) int {
	if path == "" {
		return 0
	}
	return strings.Count(path, "-") + 1
}

// relevant reports whether nvad has to do with a Route Server: one side names the other,
// or it is the VNet's own and nvad has no other.
func (d *differ) relevant(sv *server) bool {
	if sv.conn != nil || slices.ContainsFunc(sv.instances, func(in *instance) bool { return in.neighbor != nil }) {
		return true
	}
	for _, n := range d.self.Neighbors {
		if sv.near27(n.Address) {
			return true
		}
	}
	return len(d.self.Neighbors) == 0 && sv.rs.VNet != "" && sv.rs.VNet == d.s.VM.VNet
}

// index collects the prefixes of a server's rows.
func (sv *server) index() {
	size := 0
	for _, in := range sv.instances {
		size = max(size, len(in.sent)+len(in.received), len(in.learned))
	}
	all := make(map[netip.Prefix]bool, size)
	sv.sentAny = make(map[netip.Prefix]bool, size)
	for _, in := range sv.instances {
		for p := range in.sent {
			sv.sentAny[p] = true
			all[p] = true
		}
		for p := range in.received {
			all[p] = true
		}
		for p := range in.learned {
			all[p] = true
		}
	}
	sv.prefixes = sortedPrefixes(all)
}

func sortedPrefixes(set map[netip.Prefix]bool) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(set))
	for p := range set {
		out = append(out, p)
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return out
}

// settle is how long Azure may take to do what a route asks for: changes within 30 s of
// each other wait for the end of those 30 s, and the answers themselves are seconds old.
const settle = 60 * time.Second

// young reports whether a route may be on its way still.
func (d *differ) young(in *instance, r *SelfRoute) bool {
	fresh := func(t time.Time) bool { return !t.IsZero() && d.s.Taken.Sub(t) < settle }
	return fresh(r.Since) || in.neighbor != nil && fresh(in.neighbor.Since)
}
