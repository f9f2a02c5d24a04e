package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Local is a route that this router originates.
type Local struct {
	Prefix netip.Prefix
	Source route.Source // SourceNetwork, SourceConnected, ...
	Attrs  *route.Attrs // interned
}

var (
	defaultIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	defaultIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

// SetLocal replaces the routes that this router originates, but for aggregates.
// They are never put in the kernel, nor is what was learned of the same prefix as
// long as they are best: packets follow the parts, or a less specific route. Where
// an aggregate has the same prefix, they stand for it.
func (r *RIB) SetLocal(list []Local) {
	want := make(map[netip.Prefix]bool, len(list))
	for _, l := range list {
		want[l.Prefix] = true
		r.originate(l)
	}
	for prefix := range r.locals {
		d := r.find(prefix)
		if i := d.find(0); !want[prefix] && d.paths[i].source != route.SourceAggregate {
			r.removePath(d, i, r.peers[0])
			r.restoreAggregate(prefix)
		}
	}
	r.locals = want
}

func (r *RIB) originate(l Local) {
	d := r.dest(l.Prefix)
	pt := path{received: l.Attrs, accepted: l.Attrs, source: l.Source}
	i := d.find(0)
	switch {
	case i < 0:
		r.note(d)
		d.addPath(pt)
		r.count(d, r.peers[0], &pt)
	case d.paths[i].accepted == l.Attrs && d.paths[i].source == l.Source:
		return
	case l.Source == route.SourceAggregate && d.paths[i].source != route.SourceAggregate:
		return
	default:
		r.note(d)
		d.paths[i] = pt
	}
	r.touch(d, 0)
}

// originates reports whether prefix is the default route that is originated for
// p.
func (p *peer) originates(prefix netip.Prefix) bool {
	return p.Default != nil && prefix.Bits() == 0 && p.Families.Has(route.FamilyOf(prefix))
}

// exportDefault is the default route that is originated for p alone, whatever
// the table holds (default-originate).
func (r *RIB) exportDefault(d *dest, p *peer) (*route.Attrs, hold, policy.Rule) {
	pt := path{accepted: r.opt.Interner.Intern(route.Attrs{MED: route.Some(0)}), source: route.SourceDefault}
	out := p.Default.Run(r.exportInput(d.prefix, &pt, p))
	if !out.Accept {
		return nil, exportPolicy, out.Rule
	}
	attrs := r.wireAttrs(p, &pt, &out, d.prefix)
	if attrs == nil {
		return nil, noNextHop, out.Rule
	}
	return attrs, sent, out.Rule
}

// isDefault reports whether d must stay because a neighbor is to be sent a
// default route that the table may not hold.
func (r *RIB) isDefault(d *dest) bool {
	if d.prefix.Bits() != 0 {
		return false
	}
	for _, p := range r.byAddr {
		if p.Default != nil {
			return true
		}
	}
	return false
}
