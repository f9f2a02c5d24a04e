package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// refusedPrefix finds a route that Azure ignores whatever else is right; nil if it does not.
func (d *differ) refusedPrefix(sv *server, r *SelfRoute) *finding {
	if sv.rs == nil {
		return nil
	}
	p := r.Prefix.Masked()
	if c, ok := sv.subnet.covering(p); ok && c == p {
		return d.find(RouteServerSubnet, Error, sv.rs.ID, sv.rs.Name, func(*finding) (string, []Step) {
			return fmt.Sprintf("Route Server %s silently ignores a route for its own RouteServerSubnet %s.", sv.rs.Name, p), d.holdBack(sv)
		})
	}
	if slices.Contains(r.ASPath, RouteServerASN) {
		return d.find(RouteServerASNInPath, Error, sv.rs.ID, sv.rs.Name, func(f *finding) (string, []Step) {
			return fmt.Sprintf("nvad sends %s with AS %d in the AS path, and Route Server %s drops every path with its own ASN.", f.count(), RouteServerASN, sv.rs.Name),
				[]Step{groupStep(sv, "as-override = true")}
		})
	}
	if a := r.NextHop; a.IsValid() && !a.IsUnspecified() && sv.vnet != nil && !d.ownAddrs[a] && !sv.near.contains(a) && !d.farSpaceUnknown(sv) {
		return d.find(NextHopUnreachable, Error, sv.rs.ID+" "+a.String(), a.String(), func(f *finding) (string, []Step) {
			return fmt.Sprintf("nvad sends %s with next hop %s, which is neither in VNet %s nor in one that is peered with it, so no NIC can use it.", f.count(), a, sv.vnet.Name),
				[]Step{words("Remove set.next-hop from the export route-map, or set the address of the NVA (%s) or of an internal load balancer in its VNet.", d.ownAddress())}
		})
	}
	if space, ok := sv.space.covering(p); ok {
		return d.find(PrefixInVNetSpace, Error, sv.rs.ID, sv.rs.Name, func(f *finding) (string, []Step) {
			return fmt.Sprintf("nvad sends %s within the address space of VNet %s (%s) to its Route Server %s: system routes win everywhere, so that has no effect.",
				f.count(), sv.vnet.Name, space, sv.rs.Name), d.holdBack(sv)
		})
	}
	return nil
}

// farSpaceUnknown reports whether a peering lacks the other VNet's address space.
func (d *differ) farSpaceUnknown(sv *server) bool {
	return slices.ContainsFunc(sv.vnet.Peerings, func(p Peering) bool { return len(p.Space) == 0 && d.vnets[p.Remote] == nil })
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// holdBack makes nvad hold back what is within the address space of Route Server's VNet.
func (d *differ) holdBack(sv *server) []Step {
	return []Step{
		groupStep(sv, "vnet = "+array(sv.vnet.Space)), leadAllTheSame,
	}
}

var leadAllTheSame = words("To lead traffic of a VNet to the NVA all the same, give its subnets user-defined routes; a prefix that contains the whole VNet works too.")

// notLearned is the finding about routes that instances should have.
func (d *differ) notLearned(sv *server) *finding {
	return d.find(NotLearned, Error, sv.id(), sv.name(), func(f *finding) (string, []Step) {
		var steps []Step
		for _, in := range sv.instances {
			if f.instances[in.addr] {
				steps = append(steps, Step{InShell, "nvactl reset " + in.addr.String() + " --soft out"})
			}
		}
		if sv.conn != nil && sv.rs != nil {
			steps = append(steps, sv.peeringStep("list-learned-routes", sv.conn.Name))
		}
		return fmt.Sprintf("%s of Route Server %s did not learn %s that nvad sent, and Azure shows no reason; a route map of Route Server would be one, and can't be seen.",
			capital(plural(len(f.instances), "instance", "instances")), sv.name(), f.count()), steps
	})
}

// unequal is the finding about instances that nvad does not treat alike.
func (d *differ) unequal(sv *server) *finding {
	return d.find(InstancesDiffer, Error, sv.id(), sv.name(), func(f *finding) (string, []Step) {
		return fmt.Sprintf("nvad sends the instances of Route Server %s different routes for %s, and each instance programs only what it learned itself.", sv.name(), f.count()),
			[]Step{groupStep(sv, "neighbors = "+array(sv.addresses())), words("Remove import, export and other keys that only one of them sets.")}
	})
}

// learnedBy reports whether any instance learned p.
func (sv *server) learnedBy(p netip.Prefix) bool {
	return slices.ContainsFunc(sv.instances, func(in *instance) bool { return in.learned[p] != nil })
}

// nicCause returns why a NIC does not send what is for a prefix to the NVA, or a note if that
// is no fault. The NVA's own NIC needs no route to itself.
func (d *differ) nicCause(sv *server, in *instance, row *Row, route *SelfRoute, v *nicView) (*finding, string) {
	p := row.Prefix
	h := v.active[p]
	u := v.users[p]
	if !d.concerns(sv, v) {
		return nil, ""
	}
	if u != nil && d.here(u, route.NextHop) {
		u = nil
	}
	if h != nil && h.source == sourceUser || u != nil && !v.seen {
		if v.own {
			return nil, "the NVA's own subnet has a user-defined route for it"
		}
		if u == nil {
			u = h
		}
		return d.udrWins(sv, v, p, u), ""
	}
	if _, c := v.lookup(p); c != nil && c.source == sourceDefault && (c.kind == typePeering || c.kind == typeVNet) {
		if v.own {
			return nil, "a system route (" + c.kind + ") wins at this NIC"
		}
		return d.systemRoute(sv, v), ""
	}
	if v.noPropagation() {
		if v.own {
			return nil, "the NVA's own subnet takes no routes from Route Server"
		}
		if v.seen || !d.here(v.userLookup(p), route.NextHop) {
			return d.propagationOff(v), ""
		}
		return nil, ""
	}
	if v.vnet != nil && d.broken[v.vnet.ID] != nil {
		return d.broken[v.vnet.ID], ""
	}
	if !v.seen || !sv.learnedBy(p) {
		return nil, ""
	}
	switch {
	case h != nil:
		return d.preferred(sv, in, route, v, h)
	case d.young(in, route):
		return nil, tooYoung
	case !v.tableSeen || sv.vnet == nil || v.vnet == nil:
		return nil, "not judged, because a VNet or a route table could not be read"
	}
	return d.notInjected(sv, v), ""
}

const tooYoung = "sent less than a minute ago; Azure may take as long"

// concerns reports whether a Route Server's routes should be at a NIC: in its VNet, and in a
// spoke of it. The NIC of an NVA in another VNet needs none.
func (d *differ) concerns(sv *server, v *nicView) bool {
	if v.vnet == nil {
		return !v.own && len(d.s.RouteServers) < 2
	}
	if v.own {
		return d.servesNIC(sv, v)
	}
	return v.vnet == sv.vnet || d.hubOf(v.vnet) == sv
}

// servesNIC reports whether Route Server's routes come to a NIC's VNet.
func (d *differ) servesNIC(sv *server, v *nicView) bool {
	if sv.vnet == nil || v.vnet == nil {
		return false
	}
	p := d.side(v.vnet, sv.vnet.ID)
	return v.vnet == sv.vnet || p != nil && p.UseRemoteGateways
}

func (d *differ) notInjected(sv *server, v *nicView) *finding {
	f := d.find(NotInjected, Error, sv.id(), sv.name(), func(f *finding) (string, []Step) {
		var names []string
		var steps []Step
		for _, v := range d.nics {
			if n := v.nic; f.nics[v] {
				names = append(names, n.Name)
				steps = append(steps, az(parseID(n.ID).subscription, "network", "nic", "show-effective-route-table", "--resource-group", n.ResourceGroup, "--name", n.Name))
			}
		}
		return fmt.Sprintf("Route Server %s learned %s from nvad that did not arrive at %s (%s), and Azure shows no reason.",
				sv.name(), f.count(), plural(len(names), "NIC", "NICs"), strings.Join(names, ", ")),
			append(steps, words("If the routes are still missing after a minute, ask Azure's support, with these answers as evidence."))
	})
	if f.nics == nil {
		f.nics = map[*nicView]bool{}
	}
	f.nics[v] = true
	return f
}

// udrWins is about one user-defined route, however many NICs and prefixes it concerns. One
// that leads to another NVA loses nothing.
func (d *differ) udrWins(sv *server, v *nicView, p netip.Prefix, u *hops) *finding {
	severity := Error
	if len(u.addrs) > 0 && !slices.ContainsFunc(u.addrs, func(a netip.Addr) bool { return !sv.peers[a] }) {
		severity = Warning
	}
	object, name := v.nic.Subnet, u.name
	if v.table != nil {
		object, name = v.table.ID, v.table.Name
	}
	return d.find(UDRWins, severity, object, name, func(f *finding) (string, []Step) {
		reason := fmt.Sprintf("User-defined routes of route table %s win over BGP routes for the same prefix: %s does not lead to the NVA.", name, f.count())
		if v.table == nil {
			return reason, []Step{words("Delete the user-defined route %s from the route table of subnet %s.", u.name, shortName(v.nic.Subnet))}
		}
		var mend []Step
		for _, p := range sortedPrefixes(f.prefixes) {
			if u := v.users[p]; u != nil {
				mend = append(mend, routeStep(v.table, "delete", u.name))
			}
		}
		if len(mend) == 0 { // the table has changed since the effective routes were read
			mend = []Step{words("Compare again: the route table has no such route any more.")}
		}
		return reason, mend
	})
}

func (d *differ) propagationOff(v *nicView) *finding {
	return d.find(PropagationOff, Error, v.table.ID, v.table.Name, func(f *finding) (string, []Step) {
		return fmt.Sprintf("Route table %s takes no routes from gateways and Route Server (propagation is off), so subnet %s has no route for %s.",
				v.table.Name, shortName(v.nic.Subnet), f.count()),
			[]Step{propagate(v.table)}
	})
}

func propagate(t *RouteTable) Step {
	return tableStep(t, "update", "--disable-bgp-route-propagation", "false")
}

// systemRoute is about a spoke for which a prefix is in its own VNet, or in one that is peered
// with it: nothing is lost, but the NVA gets no packet. Other spokes may need the route.
func (d *differ) systemRoute(sv *server, v *nicView) *finding {
	return d.find(PrefixInVNetSpace, Info, v.nic.ID, v.nic.Name, func(f *finding) (string, []Step) {
		space := map[netip.Prefix]bool{}
		for p := range f.prefixes {
			c, _ := v.lookup(p)
			space[c] = true
		}
		if sv.vnet != nil {
			for _, p := range sv.vnet.Space {
				space[p] = true
			}
		}
		return fmt.Sprintf("NIC %s reaches %s that nvad sends by a system route of its VNet or a peering, which wins, and not through the NVA; unless other spokes need it, hold it back.", v.nic.Name, f.count()),
			[]Step{groupStep(sv, "vnet = "+array(sortedPrefixes(space))), leadAllTheSame}
	})
}

// preferred explains a learned route that leads elsewhere. A drained NVA wants just that.
func (d *differ) preferred(sv *server, in *instance, route *SelfRoute, v *nicView, h *hops) (*finding, string) {
	p := route.Prefix.Masked()
	others := len(h.addrs) > 0 && !slices.ContainsFunc(h.addrs, func(a netip.Addr) bool { return !sv.peers[a] })
	best, known := sv.others[p]
	switch {
	case sv.rs == nil || d.lacking(WhatConnections, sv.rs.ID) || others && !known:
		return nil, "it leads to another next hop; which path Route Server prefers could not be read"
	case others && d.self.Drained:
		return nil, "this NVA is drained, and another one has the traffic"
	case others && best >= len(route.ASPath) && d.young(in, route):
		return nil, tooYoung
	case others && best >= len(route.ASPath):
		return d.notInjected(sv, v), ""
	case others:
		return d.find(ShorterPathElsewhere, Info, sv.rs.ID, sv.rs.Name, func(f *finding) (string, []Step) {
			return fmt.Sprintf("Another NVA sends %s with a shorter AS path, so the traffic goes there; that is right for a standby.", f.count()),
				[]Step{words("To share the traffic, send AS paths of the same length: remove set.as-path-prepend from the export route-map.")}
		}), ""
	}
	return d.find(GatewayWins, Info, sv.rs.ID, sv.rs.Name, func(f *finding) (string, []Step) {
		return fmt.Sprintf("A gateway has a route for %s too, and Route Server %s prefers it (%s).", f.count(), sv.rs.Name, preference(sv.rs)),
			[]Step{words("If the NVA is to win, let the AS path decide:"), sv.serverStep("update", "--set", "hubRoutingPreference=ASPath")}
	}), ""
}

func preference(rs *RouteServer) string {
	if rs.Preference == "" {
		return "ExpressRoute is the default"
	}
	return "hub routing preference " + rs.Preference
}

// ownPropagation finds routes of Azure that the NVA's own NIC lacks because of its route
// table: the NVA knows them and sends packets into the void. If the rows found that a spoke has
// the same table, its finding mends both.
func (d *differ) ownPropagation(sv *server) {
	for _, v := range d.own() {
		if !v.noPropagation() || !d.servesNIC(sv, v) || d.found[findingKey{PropagationOff, Error, v.table.ID}] != nil {
			continue
		}
		for _, in := range sv.instances {
			for p := range in.received {
				if _, system := sv.near.covering(p); system || p.Bits() == 0 || sv.sentAny[p] {
					continue
				}
				h := v.userLookup(p)
				if v.seen {
					_, h = v.lookup(p)
				}
				if h != nil && h.kind != typeNone && h.kind != typeInternet && !d.here(h, netip.Addr{}) {
					continue
				}
				f := d.find(PropagationOff, Warning, v.table.ID, v.table.Name, func(f *finding) (string, []Step) {
					return fmt.Sprintf("Route table %s takes no routes from gateways and Route Server (propagation is off), so the NVA's own NIC %s has no route for %s that nvad received: what it does not send through a tunnel is lost.",
						v.table.Name, v.nic.Name, f.count()), []Step{propagate(v.table)}
				})
				f.prefixes[p] = true
				f.instances[in.addr] = true
			}
		}
	}
}
