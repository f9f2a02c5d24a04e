package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// wireMemo remembers the attributes built last. The routes of an UPDATE share a set and
// come one after the other, also in walks of the table.
type wireMemo struct {
	key wireKey
	out *route.Attrs // nil: nothing is remembered
}

// wireKey is everything that attributes sent depend on, besides the neighbor's settings.
type wireKey struct {
	accepted *route.Attrs
	out      *route.Attrs // from export policy; nil: it has not run yet
	from     peerID
	origin   route.ExtCommunity // loop domain that an iBGP neighbor is sent; 0: none
	family   route.Family
	nextHop  policy.NextHop
}

func (n *outbound) forgetWire() { n.wire, n.offers = wireMemo{}, wireMemo{} }

// forgetWire forgets the attributes built last for all neighbors. They may depend on
// settings of the neighbor that a path came from.
func (s *adjOut) forgetWire() {
	for _, p := range s.peers.byAddr {
		p.forgetWire()
	}
}

// offered returns the attributes of pt that p's export policy is given: without what p must
// not learn, and with what it is sent in any case. So a change of the MED by +N adds to
// nothing that another AS has set (RFC 4271 5.1.4), policies of iBGP neighbors see the
// LOCAL_PREF that is sent (5.1.5), and what policy writes into a path stays there.
func (s *adjOut) offered(p *peer, pt *path) *route.Attrs {
	learned := pt.source == route.SourceBGP
	differs := !p.internal && (learned && pt.accepted.MED.Set || p.RemovePrivateAS || p.ASOverride)
	if !differs && (!p.internal || pt.accepted.LocalPref.Set) {
		return pt.accepted
	}
	key := wireKey{accepted: pt.accepted, from: pt.peer}
	if p.offers.out != nil && p.offers.key == key {
		return p.offers.out
	}
	out := new(route.Attrs) // not interned: only the policy sees it
	*out = *pt.accepted
	if p.internal {
		out.LocalPref = route.Some(100)
	} else {
		if learned {
			out.MED = route.Optional{}
		}
		out.ASPath = shownPath(out.ASPath, p)
	}
	p.offers = wireMemo{key, out}
	return out
}

// wireAttrs builds the attributes to send from those that policy accepted. There are none if
// there is no next hop.
func (s *adjOut) wireAttrs(p *peer, pt *path, out *policy.Output, prefix netip.Prefix) exported {
	key := wireKey{
		accepted: pt.accepted, out: out.Attrs, from: pt.peer,
		family: route.FamilyOf(prefix), nextHop: out.NextHop,
	}
	if p.internal {
		key.origin = s.origin(pt)
	}
	if p.wire.out != nil && p.wire.key == key {
		return exported{attrs: p.wire.out, rule: out.Rule}
	}
	a := *out.Attrs
	a.NextHop = s.exportNextHop(p, pt, out, prefix.Addr().Is4())
	if !a.NextHop.IsValid() {
		return exported{hold: noNextHop, rule: out.Rule}
	}
	if p.internal {
		s.toInternal(&a, pt, key.origin)
	} else {
		s.toExternal(&a, p)
	}
	s.drain.apply(&a, p)
	wire := s.opt.Interner.Intern(a)
	p.wire = wireMemo{key, wire}
	return exported{attrs: wire, rule: out.Rule}
}

// toExternal prepares a set for an eBGP neighbor (RFC 4271 5.1.2, 5.1.5).
func (s *adjOut) toExternal(a *route.Attrs, p *peer) {
	a.LocalPref, a.OriginatorID, a.ClusterList = route.Optional{}, netip.Addr{}, nil
	if s.marks {
		a.ExtCommunities = withoutOrigin(a.ExtCommunities)
	}
	a.ASPath = withoutConfed(a.ASPath).Prepend(p.LocalASN, 1)
	a.OTC = p.sentOTC(a.OTC)
}

// toInternal prepares a set for an iBGP neighbor (RFC 4271 5.1.5, RFC 4456 8).
func (s *adjOut) toInternal(a *route.Attrs, pt *path, soo route.ExtCommunity) {
	if soo != 0 && s.marks {
		a.ExtCommunities = route.SortedSet(append(withoutOrigin(a.ExtCommunities), soo))
	}
	from := s.peers.of(pt)
	if pt.source != route.SourceBGP || !from.internal {
		return
	}
	if !a.OriginatorID.IsValid() {
		a.OriginatorID = from.RemoteID
	}
	a.ClusterList = append([]netip.Addr{s.opt.RouterID}, a.ClusterList...)
}

// withoutOrigin returns a copy of list without Sites of Origin.
func withoutOrigin(list []route.ExtCommunity) []route.ExtCommunity {
	var out []route.ExtCommunity
	for _, c := range list {
		if !c.IsSiteOfOrigin() {
			out = append(out, c)
		}
	}
	return out
}

// exportNextHop returns the next hop that p is sent; invalid if there is none of the
// prefix's family.
func (s *adjOut) exportNextHop(p *peer, pt *path, out *policy.Output, is4 bool) netip.Addr {
	learned, self := out.Attrs.NextHop, p.LocalAddress
	if self.Is4() != is4 {
		self = s.under.address(self, is4)
	}
	switch out.NextHop {
	case policy.NextHopSet, policy.NextHopUnchanged:
		return learned
	case policy.NextHopSelf:
		return self
	case policy.NextHopPeer:
		return p.Address
	}
	from := s.peers.of(pt)
	switch {
	case !learned.IsValid():
		return self
	case pt.source != route.SourceBGP:
		return learned // a route-map set it where the route was originated
	case !p.internal, p.NextHopSelf && !from.internal, p.NextHopSelfForce:
		return self
	}
	return learned
}

// Drain says how routes are advertised while this NVA hands its traffic over to others. The
// zero value is normal operation.
type Drain struct {
	On       bool
	Prepends int // of this router's ASN, for eBGP neighbors
}

// apply makes a set the least preferred one: by GRACEFUL_SHUTDOWN for neighbors that know
// it, by LOCAL_PREF 0 within the AS (RFC 8326 3, 4), and by a longer path for those that
// look at nothing else, such as Azure Route Server.
func (d Drain) apply(a *route.Attrs, p *peer) {
	if !d.On {
		return
	}
	a.Communities = route.SortedSet(append(slices.Clone(a.Communities), route.GracefulShutdown))
	if p.internal {
		a.LocalPref = route.Some(0)
		return
	}
	a.ASPath = a.ASPath.Prepend(p.LocalASN, d.Prepends)
}

// withoutConfed removes confederation segments, which stay inside (RFC 5065 4.1), before
// this router's ASN is prepended for an eBGP neighbor.
func withoutConfed(path route.ASPath) route.ASPath {
	if !path.HasConfed() {
		return path
	}
	return slices.DeleteFunc(slices.Clone(path), func(s route.Segment) bool {
		return s.Type == route.ASConfedSequence || s.Type == route.ASConfedSet
	})
}

// shownPath returns the path that an eBGP neighbor may see by its settings. As in FRR they
// apply before its export policy, which has the last word.
func shownPath(path route.ASPath, p *peer) route.ASPath {
	if p.RemovePrivateAS {
		path = withoutPrivate(path, p)
	}
	if p.ASOverride && path.Contains(p.RemoteASN) > 0 {
		path = mapASNs(path, func(asn uint32) (uint32, bool) {
			if asn == p.RemoteASN {
				return p.LocalASN, true
			}
			return asn, true
		})
	}
	return path
}

// withoutPrivate removes private ASNs (RFC 6996), or replaces them with this router's ASN,
// which keeps the length. The neighbor's own ASN stays: it must be able to see a loop.
func withoutPrivate(path route.ASPath, p *peer) route.ASPath {
	return mapASNs(path, func(asn uint32) (uint32, bool) {
		private := asn >= 64512 && asn <= 65534 || asn >= 4200000000 && asn <= 4294967294
		switch {
		case !private || asn == p.RemoteASN:
			return asn, true
		case p.ReplacePrivateAS:
			return p.LocalASN, true
		}
		return asn, false
	})
}

// mapASNs replaces each ASN by the one that f returns, or removes it if f returns false. It
// removes segments that become empty. Confederation segments stay as they are.
func mapASNs(path route.ASPath, f func(uint32) (uint32, bool)) route.ASPath {
	var out route.ASPath
	for _, s := range path {
		if s.Type == route.ASConfedSequence || s.Type == route.ASConfedSet {
			out = append(out, s)
			continue
		}
		seg := route.Segment{Type: s.Type}
		for _, asn := range s.ASNs {
			if v, keep := f(asn); keep {
				seg.ASNs = append(seg.ASNs, v)
			}
		}
		if n := len(out); n > 0 && seg.Type == route.ASSequence && out[n-1].Type == seg.Type && len(out[n-1].ASNs)+len(seg.ASNs) <= 255 {
			out[n-1].ASNs = append(out[n-1].ASNs, seg.ASNs...)
		} else if len(seg.ASNs) > 0 {
			out = append(out, seg)
		}
	}
	return out
}
