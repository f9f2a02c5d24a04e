package azure

import (
	"net/netip"
	"slices"
)

var advertisedClaims = []claim{
	{"next-hop-is-instance", "The next hop of what an instance sends is the instance's own address.", "routes received from an instance", func(v *verifier, t *tally) {
		v.receivedRoutes(func(sv *server, in *instance, r *SelfRoute) {
			if r.NextHop.IsValid() {
				t.add(r.NextHop == in.addr, "%s from %s has next hop %s", v.anon.prefix(r.Prefix), v.anon.addr(in.addr), v.anon.addr(r.NextHop))
			}
		})
	}},
	{"path-begins-65515", "The AS path of what an instance sends begins with 65515.", "routes received from an instance", func(v *verifier, t *tally) {
		v.receivedRoutes(func(sv *server, in *instance, r *SelfRoute) {
			t.add(len(r.ASPath) > 0 && r.ASPath[0] == RouteServerASN, "%s was received with %d ASNs, the first of which is 65515: %s",
				v.anon.prefix(r.Prefix), len(r.ASPath), yesNo(len(r.ASPath) > 0 && r.ASPath[0] == RouteServerASN))
		})
	}},
	{"vnet-space-advertised", "Route Server advertises the address space of its VNet to NVAs.", "an established session, and Route Server's VNet", func(v *verifier, t *tally) {
		v.peered(func(sv *server) {
			if sv.vnet != nil {
				v.spaceReceived(sv, sv.vnet, t)
			}
		})
	}},
	{"spoke-space-advertised", "Route Server advertises the address space of VNets that use its gateways to NVAs.", "an established session, and a spoke", func(v *verifier, t *tally) {
		v.peered(func(sv *server) {
			for i := range v.s.VNets {
				spoke := &v.s.VNets[i]
				if sv.vnet == nil {
					continue
				}
				ab, ba := v.side(spoke, sv.vnet.ID), v.side(sv.vnet, spoke.ID)
				if ab != nil && ba != nil && ab.UseRemoteGateways && ba.AllowGatewayTransit {
					v.spaceReceived(sv, spoke, t)
				}
			}
		})
	}},
	{"own-routes-not-back", "Route Server does not send an NVA its own routes back.", "an established session and routes that no other NVA sends", func(v *verifier, t *tally) {
		v.peered(func(sv *server) {
			for _, in := range sv.instances {
				for _, p := range sv.prefixes {
					if _, other := sv.others[p]; in.sent[p] != nil && in.up() && !other && len(in.received) > 0 && in.learned[p] != nil {
						t.add(in.received[p] == nil, "%s was sent to %s; received back: %s", v.anon.prefix(p), v.anon.addr(in.addr), yesNo(in.received[p] != nil))
					}
				}
			}
		})
	}},
	{"no-advertise-honoured", "Route Server passes routes with the community no-advertise to no other NVA.", "such a route, and what is advertised to another NVA", func(v *verifier, t *tally) {
		v.peered(func(sv *server) {
			advertised, seen := v.toOthers(sv)
			for _, p := range sv.prefixes {
				r := v.announced(sv, p)
				if _, other := sv.others[p]; r != nil && r.NoAdvertise && seen && !other && sv.learnedBy(p) {
					t.add(!advertised[p], "%s was sent with no-advertise; advertised to another NVA: %s", v.anon.prefix(p), yesNo(advertised[p]))
				}
			}
		})
	}},
}

// receivedRoutes calls f for each route that nvad received, in ascending order.
func (v *verifier) receivedRoutes(f func(sv *server, in *instance, r *SelfRoute)) {
	v.peered(func(sv *server) {
		for _, in := range sv.instances {
			for _, p := range sv.prefixes {
				if r := in.received[p]; r != nil {
					f(sv, in, r)
				}
			}
		}
	})
}

func (v *verifier) spaceReceived(sv *server, n *VNet, t *tally) {
	for _, in := range sv.instances {
		if !in.up() || len(in.received) == 0 {
			continue
		}
		for _, p := range n.Space {
			if p.IsValid() && p.Addr().Is4() {
				got := in.received[p.Masked()] != nil
				t.add(got, "%s of %s; received from %s: %s", v.anon.prefix(p), v.anon.name("VNet", n.ID), v.anon.addr(in.addr), yesNo(got))
			}
		}
	}
}

// toOthers returns what is advertised to other NVAs, and whether any of it is known.
func (v *verifier) toOthers(sv *server) (map[netip.Prefix]bool, bool) {
	out, seen := map[netip.Prefix]bool{}, false
	for i := range sv.rs.Connections {
		c := &sv.rs.Connections[i]
		if v.ownAddrs[c.Peer] || v.lacking(WhatAdvertised, c.ID) {
			continue
		}
		for _, in := range c.Instances {
			for _, r := range in.Advertised {
				out[r.Prefix], seen = true, true
			}
		}
	}
	return out, seen
}

var effectiveClaims = []claim{
	{"own-routes-on-own-nic", "Azure puts the NVA's own routes onto the NVA's NIC too.", "the effective routes of the NVA's NIC", func(v *verifier, t *tally) {
		v.programmed(true, func(sv *server, n *nicView, r *SelfRoute, h *hops) {
			t.add(h != nil && v.here(h, r.NextHop), "%s on %s: %s", v.anon.prefix(r.Prefix), v.anon.name("NIC", n.nic.ID), v.where(h, r))
		})
	}},
	{"routes-on-spoke-nic", "Azure puts the NVA's routes onto the NICs of spokes.", "the effective routes of a spoke's NIC", func(v *verifier, t *tally) {
		v.programmed(false, func(sv *server, n *nicView, r *SelfRoute, h *hops) {
			t.add(h != nil && v.here(h, r.NextHop), "%s on %s: %s", v.anon.prefix(r.Prefix), v.anon.name("NIC", n.nic.ID), v.where(h, r))
		})
	}},
	{"vnet-prefix-not-injected", "Azure does not program a prefix that is equal to the VNet's address space, or within it.", "such a prefix that an instance learned", func(v *verifier, t *tally) {
		v.injected(t, func(sv *server, p netip.Prefix) bool { _, ok := sv.space.covering(p); return ok }, false)
	}},
	{"supernet-injected", "Azure programs a prefix that contains the VNet's address space.", "such a prefix that an instance learned", func(v *verifier, t *tally) {
		v.injected(t, func(sv *server, p netip.Prefix) bool {
			return sv.vnet != nil && p.Bits() > 0 && slices.ContainsFunc(sv.vnet.Space, func(s netip.Prefix) bool { return p.Bits() < s.Bits() && p.Contains(s.Addr()) })
		}, true)
	}},
	{"default-on-own-nic", "Azure puts a default route that an NVA sends onto the NVA's own NIC.", "a default route that an instance learned", func(v *verifier, t *tally) {
		v.injected(t, func(sv *server, p netip.Prefix) bool { return p.Bits() == 0 }, true)
	}},
	{"ecmp", "With AS paths of the same length, Azure programs the next hops of all NVAs.", "a prefix that two NVAs send with paths of the same length", func(v *verifier, t *tally) {
		v.eachNIC(func(sv *server, n *nicView) {
			for _, p := range sv.prefixes {
				r := v.announced(sv, p)
				length, other := sv.others[p]
				if h := n.active[p]; r != nil && other && h != nil && h.source != sourceUser && len(r.ASPath) == length && sv.learnedBy(p) {
					all := v.here(h, r.NextHop) && slices.ContainsFunc(h.addrs, func(a netip.Addr) bool { return sv.peers[a] })
					t.add(all, "%s has %s on %s", v.anon.prefix(p), plural(len(h.addrs), "next hop", "next hops"), v.anon.name("NIC", n.nic.ID))
				}
			}
		})
	}},
	{"udr-wins", "A user-defined route wins over a BGP route for the same prefix.", "a user-defined route for a prefix that an instance learned", func(v *verifier, t *tally) {
		v.eachNIC(func(sv *server, n *nicView) {
			for _, p := range sv.prefixes {
				if h := n.active[p]; n.users[p] != nil && h != nil && sv.learnedBy(p) {
					t.add(h.source == sourceUser, "%s on %s; the user-defined route is active: %s", v.anon.prefix(p), v.anon.name("NIC", n.nic.ID), yesNo(h.source == sourceUser))
				}
			}
		})
	}},
	{"propagation-off", "A route table without propagation keeps BGP routes from its subnet.", "a route table without propagation", func(v *verifier, t *tally) {
		v.eachNIC(func(sv *server, n *nicView) {
			if n.noPropagation() {
				learned := 0
				for _, h := range n.active {
					if h.source != sourceUser && h.source != sourceDefault {
						learned++
					}
				}
				t.add(learned == 0, "%s has %s of gateways", v.anon.name("NIC", n.nic.ID), plural(learned, "route", "routes"))
			}
		})
	}},
}

// eachNIC calls f for each NIC whose effective routes are known and that a Route Server
// with a peering of this NVA serves.
func (v *verifier) eachNIC(f func(sv *server, n *nicView)) {
	v.peered(func(sv *server) {
		for _, n := range v.nics {
			if n.seen && v.servesNIC(sv, n) {
				f(sv, n)
			}
		}
	})
}

// programmed calls f for each route that should be at a NIC: learned, not hidden by a
// user-defined or a system route, and not sent by others too.
func (v *verifier) programmed(own bool, f func(sv *server, n *nicView, r *SelfRoute, h *hops)) {
	v.eachNIC(func(sv *server, n *nicView) {
		if n.own != own || n.noPropagation() || !n.tableSeen {
			return
		}
		for _, p := range sv.prefixes {
			r := v.announced(sv, p)
			_, other := sv.others[p]
			_, system := sv.near.covering(p)
			if r == nil || other || system || n.users[p] != nil || !sv.learnedBy(p) || v.young(sv.instances[0], r) {
				continue
			}
			if h := n.active[p]; h == nil || h.source != sourceUser && h.source != sourceDefault && v.here(h, r.NextHop) {
				f(sv, n, r, h)
			}
		}
	})
}

// injected checks whether prefixes of a kind are at the NVA's NICs by a BGP route.
func (v *verifier) injected(t *tally, kind func(sv *server, p netip.Prefix) bool, want bool) {
	v.eachNIC(func(sv *server, n *nicView) {
		if !n.own || n.noPropagation() {
			return
		}
		for _, p := range sv.prefixes {
			r := v.announced(sv, p)
			if r == nil || !kind(sv, p) || !sv.learnedBy(p) || n.users[p] != nil {
				continue
			}
			h := n.active[p]
			got := h != nil && h.source != sourceUser && h.source != sourceDefault && v.here(h, r.NextHop)
			t.add(got == want, "%s was learned; programmed on %s: %s", v.anon.prefix(p), v.anon.name("NIC", n.nic.ID), yesNo(got))
		}
	})
}

// where says whether a route leads to the NVA, without names.
func (v *verifier) where(h *hops, r *SelfRoute) string {
	switch {
	case h == nil:
		return "no route"
	case v.here(h, r.NextHop):
		return "the next hop is the NVA's"
	}
	return "the next hop is another"
}

var answerClaims = []claim{
	{"service-tags-expanded", "Azure expands service tags in the effective rules of network security groups.", "effective security rules", func(v *verifier, t *tally) {
		for _, n := range v.nics {
			if len(n.nic.Rules) == 0 {
				continue
			}
			empty := count(n.nic.Rules, func(r SecurityRule) bool { return len(r.Sources) == 0 || len(r.Destinations) == 0 })
			t.add(empty == 0, "%d of %d rules of %s name no prefixes", empty, len(n.nic.Rules), v.anon.name("NIC", n.nic.ID))
		}
	}},
	{"two-roles", "Route Server answers for each of its instances by role.", "what Route Server learned", func(v *verifier, t *tally) {
		v.peered(func(sv *server) {
			if n := len(sv.conn.Instances); n > 0 {
				addresses := count(sv.conn.Instances, func(in Instance) bool { return slices.Contains(sv.rs.Addresses, in.Address) })
				t.add(n == len(sv.rs.Addresses) && addresses == n, "%d answers, %d of them with the address of an instance", n, addresses)
			}
		})
	}},
}
