package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// adjOut is the Adj-RIB-Out of all neighbors: it runs export policy over the best paths,
// builds the attributes that are sent, and remembers what was sent to whom.
type adjOut struct {
	opt   *Options
	peers *peers
	under *underlay
	seen  *observer
	input policy.Input // reused

	drain   Drain
	domains bool    // see RIB.SetDomains
	marks   bool    // Sites of Origin mark loop domains, since there is one
	changed []*peer // neighbors with changes for take
	refills []*peer // neighbors with room for routes that their limit has held back
	spare   spare[speaker.Change]
}

// outbound is the part of a neighbor that belongs to the Adj-RIB-Out.
type outbound struct {
	epoch      uint32 // sessions lost so far; what was sent in one of them is void
	advertised [2]int // destinations, by family
	ignored    []netip.Prefix
	changes    []speaker.Change // since the last take

	rations   rations // of MaxAdvertised
	collects  bool    // nothing is announced before a walk has ranked what there is
	refilling bool    // in adjOut.refills
	refilled  func()  // called once it is not any more

	wire   wireMemo // attributes sent last
	offers wireMemo // attributes given to export policy last
}

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

// exported is the outcome of an export: interned attributes to send, or else why there are none.
type exported struct {
	attrs *route.Attrs
	hold  hold
	rule  policy.Rule // of export policy that decided; 0: it did not run
}

// advertise brings p's Adj-RIB-Out entry for d up to date. Hidden says that a summary-only
// aggregate is advertised in place of d.
func (s *adjOut) advertise(d *dest, p *peer, hidden bool) {
	if !p.up {
		return
	}
	x := s.export(d, p, hidden)
	if p.MaxAdvertised > 0 {
		s.ration(d, p, x.attrs)
		return
	}
	s.send(d, p, x.attrs)
}

// send makes attrs the entry for d of p's Adj-RIB-Out, and emits the change, if it is one;
// nil removes the entry.
func (s *adjOut) send(d *dest, p *peer, attrs *route.Attrs) {
	i := slices.IndexFunc(d.out, func(a advert) bool { return a.peer == p.id })
	if i < 0 && attrs == nil || i >= 0 && d.out[i].attrs == attrs && d.out[i].epoch == p.epoch {
		return
	}
	s.seen.record(d)
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
		p.advertised[d.family()]++
	case attrs == nil:
		d.out = fitted(slices.Delete(d.out, i, i+1))
		p.advertised[d.family()]--
	default:
		d.out[i].attrs = attrs
	}
	s.emit(p, speaker.Change{Prefix: d.prefix, Attrs: attrs, New: first})
}

// resend emits again what p was sent of d, and reports whether there was anything.
func (s *adjOut) resend(d *dest, p *peer) bool {
	a := d.sent(p)
	if a != nil {
		s.emit(p, speaker.Change{Prefix: d.prefix, Attrs: a})
	}
	return a != nil
}

func (s *adjOut) emit(p *peer, c speaker.Change) {
	if p.changes == nil {
		s.changed = append(s.changed, p)
		p.changes = s.spare.get()
	}
	p.changes = append(p.changes, c)
}

// take returns the changes since the last call.
func (s *adjOut) take() (out []Adverts) {
	for _, p := range s.changed {
		if p.changes != nil {
			out = append(out, Adverts{Peer: p.Address, Changes: p.changes})
			p.changes = nil
		}
	}
	s.changed = fitted(s.changed[:0])
	return out
}

// closeSession forgets what p was sent. The entries of its Adj-RIB-Out have an earlier
// epoch from then on; tidy removes them.
func (s *adjOut) closeSession(p *peer) {
	p.epoch++
	p.changes, p.advertised = nil, [2]int{}
	s.refills = slices.DeleteFunc(s.refills, func(q *peer) bool { return q == p })
	p.refilling, p.refilled, p.collects = false, nil, false
	s.setLimit(p, 0)
}

// tidy removes what was sent of d in sessions that are lost, and reports whether there was
// any.
func (s *adjOut) tidy(d *dest) bool {
	gone := func(a advert) bool { return a.epoch != s.peers.byID[a.peer].epoch }
	if !slices.ContainsFunc(d.out, gone) {
		return false
	}
	s.seen.record(d)
	d.out = fitted(slices.DeleteFunc(d.out, gone))
	return true
}

// export decides what p is to see of d's best path. There is no second choice: if the best
// path is held back, nothing is sent in its place.
func (s *adjOut) export(d *dest, p *peer, hidden bool) exported {
	if p.originates(d.prefix) {
		return s.exportDefault(d, p)
	}
	if h := s.mayExport(d, p, hidden); h != sent {
		return exported{hold: h}
	}
	pt := &d.paths[d.best]
	out := p.Export.Run(s.exportInput(d.prefix, pt, p))
	if !out.Accept {
		return exported{hold: exportPolicy, rule: out.Rule}
	}
	if h, ignored := p.ignores(d.prefix); ignored {
		return exported{hold: h, rule: out.Rule}
	}
	return s.wireAttrs(p, pt, &out, d.prefix)
}

// originates reports whether p is sent a default route of its own for prefix, whatever the
// table contains (default-originate).
func (p *peer) originates(prefix netip.Prefix) bool {
	return p.Default != nil && prefix.Bits() == 0 && p.Families.Has(route.FamilyOf(prefix))
}

// defaultPath is the default route before a neighbor's default-originate policy.
func (s *adjOut) defaultPath() *path {
	return &path{accepted: s.opt.Interner.Intern(route.Attrs{MED: route.Some(0)}), source: route.SourceDefault}
}

func (s *adjOut) exportDefault(d *dest, p *peer) exported {
	pt := s.defaultPath()
	out := p.Default.Run(s.exportInput(d.prefix, pt, p))
	if !out.Accept {
		return exported{hold: exportPolicy, rule: out.Rule}
	}
	return s.wireAttrs(p, pt, &out, d.prefix)
}

// mayExport applies the rules that no policy can override.
func (s *adjOut) mayExport(d *dest, p *peer, hidden bool) hold {
	if d.best < 0 || d.paths[d.best].accepted == nil { // rejected since it was chosen
		return noPath
	}
	pt := &d.paths[d.best]
	from := s.peers.of(pt)
	communities := pt.accepted.Communities
	switch {
	case !p.Families.Has(route.FamilyOf(d.prefix)):
		return family
	case pt.peer == p.id:
		return ownRoute
	case pt.source == route.SourceBGP && p.internal && from.internal && !from.ReflectorClient && !p.ReflectorClient:
		return ibgpToIBGP
	case p.soo != 0 && s.origin(pt) == p.soo:
		return ownDomain
	case slices.Contains(communities, route.NoAdvertise):
		return noAdvertise
	case !p.internal && (slices.Contains(communities, route.NoExport) || slices.Contains(communities, route.NoExportSubconfed)):
		return noExport
	case p.wouldLeak(pt.accepted.OTC):
		return onlyToCustomer
	case hidden:
		return summarised
	}
	return sent
}

// origin returns the loop domain that a path came from: its neighbor's or, over iBGP, the
// one that another NVA marked it with. Both the received and the accepted set are looked
// at, so import policy can't remove the mark.
func (s *adjOut) origin(pt *path) route.ExtCommunity {
	from := s.peers.of(pt)
	if from.soo != 0 || !from.internal {
		return from.soo
	}
	for _, a := range [...]*route.Attrs{pt.received, pt.accepted} {
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

// updateMarks reports whether Sites of Origin have become marks of loop domains, or have
// ceased to be. Without a domain they are communities like any others.
func (s *adjOut) updateMarks() (changed bool) {
	marks := s.domains
	for _, p := range s.peers.byAddr {
		marks = marks || p.soo != 0
	}
	if marks == s.marks {
		return false
	}
	s.marks = marks
	s.forgetWire()
	return true
}

func (s *adjOut) exportInput(prefix netip.Prefix, pt *path, p *peer) *policy.Input {
	from := s.peers.of(pt)
	s.input = policy.Input{
		Prefix: prefix, Attrs: s.offered(p, pt), Source: pt.source,
		From: from.Address, FromGroup: from.Group, Weight: from.Weight,
	}
	if pt.extra != nil {
		s.input.Weight, s.input.Tag = pt.extra.weight, pt.extra.tag
	}
	return &s.input
}
