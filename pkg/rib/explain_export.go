package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Export is what one neighbor is told of a prefix, and why.
type Export struct {
	Neighbor  netip.Addr
	PeerGroup string
	Sent      *route.Attrs  // what it was told; nil: nothing
	Evaluated *route.Attrs  // what it would be told now, as sent; nil: nothing
	Rule      string        // of export policy that decided; empty if it was not asked
	Held      string        // why nothing is to be told
	Steps     []policy.Step // of export policy; nil if it was not asked
	Differs   bool          // Sent is not yet what was evaluated
	// Originated says that it is a default route of its own (default-originate),
	// not the best path.
	Originated bool
}

// exports tells what every neighbor is told of d, or one of them alone.
func (r *RIB) exports(d *dest, to netip.Addr) []Export {
	var out []Export
	for _, p := range r.peers[1:] {
		if p != nil && (!to.IsValid() || p.Address == to) {
			out = append(out, r.exportStory(d, p))
		}
	}
	slices.SortFunc(out, func(a, b Export) int { return a.Neighbor.Compare(b.Neighbor) })
	return out
}

func (r *RIB) exportStory(d *dest, p *peer) Export {
	x := Export{Neighbor: p.Address, PeerGroup: p.Group, Sent: d.sent(p)}
	if !p.up {
		x.Held = "the session is not established"
		return x
	}
	attrs, why, rule := r.exported(d, p)
	x.Evaluated, x.Differs = attrs, attrs != x.Sent
	if why != sent {
		x.Held = r.holdReason(d, p, why, rule)
	}
	if rule != 0 {
		r.traceExport(&x, d, p, rule)
	}
	if why == exportPolicy {
		x.Held = x.Rule
	}
	return x
}

// traceExport tells what export policy did: that of the default route which is
// originated for p, or else that of the best path.
func (r *RIB) traceExport(x *Export, d *dest, p *peer, rule policy.Rule) {
	program, pt := p.Export, &path{source: route.SourceDefault, accepted: &route.Attrs{MED: route.Some(0)}}
	if p.originates(d.prefix) {
		program, x.Originated = p.Default, true
	} else {
		pt = &d.paths[d.best]
	}
	x.Rule = program.RuleText(rule)
	_, x.Steps = program.Trace(r.exportInput(d.prefix, pt, p))
}
