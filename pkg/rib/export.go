package rib

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// hold says why the best path is not advertised to a neighbor.
type hold uint8

const (
	sent hold = iota
	noPath
	ownRoute
	ibgpToIBGP
	ownDomain
	noAdvertise
	noExport
	onlyToCustomer
	exportPolicy
	noNextHop
	family
	summarised
	overLimit
	inVNet
	serverSubnet
)

// advertise brings p's Adj-RIB-Out entry for d up to date.
func (r *RIB) advertise(d *dest, p *peer) {
	if !p.up {
		return
	}
	attrs, _, _ := r.export(d, p)
	if p.MaxAdvertised > 0 {
		r.ration(d, p, attrs)
		return
	}
	r.tell(d, p, attrs)
}

// tell makes attrs what p's Adj-RIB-Out holds for d; nil: nothing.
func (r *RIB) tell(d *dest, p *peer, attrs *route.Attrs) {
	i := slices.IndexFunc(d.out, func(a advert) bool { return a.peer == p.id })
	if i < 0 && attrs == nil || i >= 0 && d.out[i].attrs == attrs && d.out[i].epoch == p.epoch {
		return
	}
	r.record(d)
	if i >= 0 && d.out[i].epoch != p.epoch { // of a session that is lost
		d.out[i] = d.out[len(d.out)-1]
		d.out[len(d.out)-1] = advert{}
		d.out, i = d.out[:len(d.out)-1], -1
	}
	first := i < 0
	switch {
	case first && attrs == nil:
		return
	case first:
		d.out = append(d.out, advert{attrs: attrs, epoch: p.epoch, peer: p.id})
		p.tallies.of(d).advertised++
	case attrs == nil:
		d.out = fitted(slices.Delete(d.out, i, i+1))
		p.tallies.of(d).advertised--
	default:
		d.out[i].attrs = attrs
	}
	r.emit(p, speaker.Change{Prefix: d.prefix, Attrs: attrs, New: first})
}

// sent returns what the neighbor was told, nil if nothing.
func (d *dest) sent(p *peer) *route.Attrs {
	for i := range d.out {
		if a := &d.out[i]; a.peer == p.id && a.epoch == p.epoch {
			return a.attrs
		}
	}
	return nil
}

// export returns the attributes that p is to see of d's best path, interned;
// nil with the reason if it is to see nothing. There is no second choice: where
// the best path is held back, nothing is sent in its place.
func (r *RIB) export(d *dest, p *peer) (*route.Attrs, hold, policy.Rule) {
	if p.originates(d.prefix) {
		return r.exportDefault(d, p)
	}
	if h := r.mayExport(d, p); h != sent {
		return nil, h, 0
	}
	pt := &d.paths[d.best]
	out := p.Export.Run(r.exportInput(d.prefix, pt, p))
	if !out.Accept {
		return nil, exportPolicy, out.Rule
	}
	if h, ignored := p.ignores(d.prefix); ignored {
		return nil, h, out.Rule
	}
	attrs := r.wireAttrs(p, &d.paths[d.best], &out, d.prefix)
	if attrs == nil {
		return nil, noNextHop, out.Rule
	}
	return attrs, sent, out.Rule
}

// mayExport applies the rules that no policy can lift.
func (r *RIB) mayExport(d *dest, p *peer) hold {
	if d.best < 0 || d.paths[d.best].accepted == nil { // rejected since it was chosen
		return noPath
	}
	pt := &d.paths[d.best]
	from := r.peers[pt.peer]
	communities := pt.accepted.Communities
	switch {
	case !p.Families.Has(route.FamilyOf(d.prefix)):
		return family
	case pt.peer == p.id:
		return ownRoute
	case pt.source == route.SourceBGP && p.internal && from.internal && !from.ReflectorClient && !p.ReflectorClient:
		return ibgpToIBGP
	case p.soo != 0 && r.origin(pt) == p.soo:
		return ownDomain
	case slices.Contains(communities, route.NoAdvertise):
		return noAdvertise
	case !p.internal && (slices.Contains(communities, route.NoExport) || slices.Contains(communities, route.NoExportSubconfed)):
		return noExport
	case p.wouldLeak(pt.accepted.OTC):
		return onlyToCustomer
	case r.suppressed(d):
		return summarised
	}
	return sent
}

// origin is the loop domain a path came from: that of the neighbor, or, told
// over iBGP, the one another NVA marked it with.
func (r *RIB) origin(pt *path) route.ExtCommunity {
	from := r.peers[pt.peer]
	if from.soo != 0 || !from.internal {
		return from.soo
	}
	for _, a := range [...]*route.Attrs{pt.received, pt.accepted} { // import policy can't take a mark away
		if a == nil {
			continue
		}
		for _, c := range a.ExtCommunities {
			if c.IsSiteOfOrigin() {
				return c
			}
		}
	}
	return 0
}

func (r *RIB) exportInput(prefix netip.Prefix, pt *path, p *peer) *policy.Input {
	from := r.peers[pt.peer]
	r.work.in = policy.Input{
		Prefix: prefix, Attrs: r.offered(p, pt), Source: pt.source,
		From: from.Address, FromGroup: from.Group, Weight: from.Weight,
	}
	if pt.extra != nil {
		r.work.in.Weight, r.work.in.Tag = pt.extra.weight, pt.extra.tag
	}
	return &r.work.in
}

// offered is the set of pt as p's export policy meets it: without what p must
// not learn, and with what it will be told in any case. So a change by +N adds
// to nothing that another AS has set (RFC 4271 5.1.4), iBGP policies see the
// LOCAL_PREF that is sent (5.1.5), and what policy writes into a path stays.
func (r *RIB) offered(p *peer, pt *path) *route.Attrs {
	learned := pt.source == route.SourceBGP
	differs := !p.internal && (learned && pt.accepted.MED.Set || p.RemovePrivateAS || p.ASOverride)
	if !differs && (!p.internal || pt.accepted.LocalPref.Set) {
		return pt.accepted
	}
	key := wireKey{accepted: pt.accepted, from: pt.peer}
	if p.offers.out != nil && p.offers.key == key {
		return p.offers.out
	}
	out := new(route.Attrs) // not interned: it goes no further than the policy
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

// wireAttrs turns what policy accepted into what goes on the wire.
func (r *RIB) wireAttrs(p *peer, pt *path, out *policy.Output, prefix netip.Prefix) *route.Attrs {
	key := wireKey{
		accepted: pt.accepted, out: out.Attrs, from: pt.peer,
		family: route.FamilyOf(prefix), nextHop: out.NextHop,
	}
	if p.internal {
		key.origin = r.origin(pt)
	}
	if p.wire.out != nil && p.wire.key == key {
		return p.wire.out
	}
	a := *out.Attrs
	a.NextHop = r.exportNextHop(p, pt, out, prefix.Addr().Is4())
	if !a.NextHop.IsValid() {
		return nil
	}
	if p.internal {
		r.toInternal(&a, pt, key.origin)
	} else {
		r.toExternal(&a, p)
	}
	r.takeLeave(&a, p)
	wire := r.opt.Interner.Intern(a)
	p.wire = wireMemo{key, wire}
	return wire
}

// toExternal prepares a set for an eBGP neighbor (RFC 4271 5.1.2, 5.1.5).
func (r *RIB) toExternal(a *route.Attrs, p *peer) {
	a.LocalPref, a.OriginatorID, a.ClusterList = route.Optional{}, netip.Addr{}, nil
	if r.usesDomains() {
		a.ExtCommunities = withoutOrigin(a.ExtCommunities)
	}
	a.ASPath = withoutConfed(a.ASPath).Prepend(p.LocalASN, 1)
	a.OTC = p.told(a.OTC)
}

// toInternal prepares a set for an iBGP neighbor (RFC 4271 5.1.5, RFC 4456 8).
func (r *RIB) toInternal(a *route.Attrs, pt *path, soo route.ExtCommunity) {
	if soo != 0 && r.usesDomains() {
		a.ExtCommunities = route.SortedSet(append(withoutOrigin(a.ExtCommunities), soo))
	}
	from := r.peers[pt.peer]
	if pt.source != route.SourceBGP || !from.internal {
		return
	}
	if !a.OriginatorID.IsValid() {
		a.OriginatorID = from.RemoteID
	}
	a.ClusterList = append([]netip.Addr{r.opt.RouterID}, a.ClusterList...)
}

// usesDomains reports whether Sites of Origin are this NVA's marks of loop
// domains. Otherwise they are communities like others.
func (r *RIB) usesDomains() bool {
	for _, p := range r.byAddr {
		if p.soo != 0 {
			return true
		}
	}
	return false
}

// followDomains has all neighbors told anew once the first domain came or the last
// went, with which Sites of Origin mean something else.
func (r *RIB) followDomains(before bool) {
	if r.usesDomains() != before {
		r.forgetWire()
		r.request(r.peers[0], offers)
	}
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

// exportNextHop is the next hop that p is told; invalid if there is none of the
// prefix's family.
func (r *RIB) exportNextHop(p *peer, pt *path, out *policy.Output, is4 bool) netip.Addr {
	learned, self := out.Attrs.NextHop, p.LocalAddress
	if self.Is4() != is4 {
		self = r.under.address(self, is4)
	}
	switch out.NextHop {
	case policy.NextHopSet, policy.NextHopUnchanged:
		return learned
	case policy.NextHopSelf:
		return self
	case policy.NextHopPeer:
		return p.Address
	}
	from := r.peers[pt.peer]
	switch {
	case !learned.IsValid():
		return self
	case pt.source != route.SourceBGP:
		return learned // a route-map gave it where the route was originated
	case !p.internal, p.NextHopSelf && !from.internal, p.NextHopSelfForce:
		return self
	}
	return learned
}

// holdReason says in words why d is not advertised to p.
func (r *RIB) holdReason(d *dest, p *peer, h hold, rule policy.Rule) string {
	switch h {
	case noPath:
		return "no valid path"
	case ownRoute:
		return "learned from this neighbor"
	case ibgpToIBGP:
		return "iBGP routes are not passed on to iBGP neighbors"
	case ownDomain:
		return fmt.Sprintf("learned from domain %q", p.Domain)
	case noAdvertise:
		return "community no-advertise"
	case noExport:
		return "community no-export"
	case onlyToCustomer:
		return fmt.Sprintf("Only to Customer of AS %d, and the neighbor is a %s (RFC 9234)", d.paths[d.best].accepted.OTC.Value, p.Role)
	case noNextHop:
		return "no next hop of the prefix's family"
	case summarised:
		return "covered by a summary-only aggregate"
	case overLimit:
		return heldText(p.MaxAdvertised)
	case inVNet, serverSubnet:
		return p.ignoredReason(d.prefix, h)
	case family:
		return fmt.Sprintf("%s was not negotiated", route.FamilyOf(d.prefix))
	}
	return p.Export.RuleText(rule)
}
