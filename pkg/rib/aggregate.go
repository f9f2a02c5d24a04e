package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Aggregate originates Prefix while the table holds a valid route that is more
// specific (RFC 4271 9.2.2.2). SummaryOnly keeps those from being advertised.
type Aggregate struct {
	Prefix      netip.Prefix
	SummaryOnly bool
	// Attrs of the aggregate, interned.
	Attrs *route.Attrs
}

type aggregate struct {
	Aggregate
	parts int  // destinations that contribute, and 1 if it stays
	stays bool // until what contributes is counted
}

func (a *aggregate) covers(p netip.Prefix) bool {
	return p.Bits() > a.Prefix.Bits() && a.Prefix.Contains(p.Addr())
}

// SetAggregates replaces the aggregates. The table's walk counts anew what
// contributes to them. An aggregate that was originated stays so until then: it
// would flap otherwise.
func (r *RIB) SetAggregates(list []Aggregate) {
	old := r.sums
	if slices.EqualFunc(old, list, func(a *aggregate, b Aggregate) bool { return a.Aggregate == b }) {
		return
	}
	r.sums = make([]*aggregate, 0, len(list))
	r.sumsGen++
	for _, a := range list {
		r.sums = append(r.sums, &aggregate{Aggregate: a})
	}
	for _, was := range old {
		i := slices.IndexFunc(r.sums, func(a *aggregate) bool { return a.Prefix == was.Prefix })
		switch {
		case was.parts == 0:
		case i < 0:
			r.withdrawAggregate(was)
		default:
			r.sums[i].stays, r.sums[i].parts = true, 1
			r.originateAggregate(r.sums[i])
		}
	}
	r.request(r.peers[0], decides)
}

// recounted withdraws the aggregates that nothing was found to contribute to.
func (r *RIB) recounted() {
	for _, a := range r.sums {
		if !a.stays {
			continue
		}
		a.stays = false
		if a.parts--; a.parts == 0 {
			r.withdrawAggregate(a)
		}
	}
}

// contribute keeps count of the destinations below each aggregate. The first
// one originates the aggregate, the last one withdraws it. Aggregates count for
// the ones that cover them, too.
func (r *RIB) contribute(d *dest) {
	adds := d.best >= 0
	if adds == (d.adds == r.sumsGen) || len(r.sums) == 0 {
		return
	}
	d.adds = 0
	if adds {
		d.adds = r.sumsGen
	}
	for _, a := range r.sums {
		switch {
		case !a.covers(d.prefix):
		case adds:
			if a.parts++; a.parts == 1 {
				r.originateAggregate(a)
			}
		default:
			if a.parts--; a.parts == 0 {
				r.withdrawAggregate(a)
			}
		}
	}
}

func (r *RIB) originateAggregate(a *aggregate) {
	r.originate(Local{Prefix: a.Prefix, Source: route.SourceAggregate, Attrs: a.Attrs})
}

// restoreAggregate originates the aggregate that another route of this router
// stood for.
func (r *RIB) restoreAggregate(prefix netip.Prefix) {
	for _, a := range r.sums {
		if a.Prefix == prefix && a.parts > 0 {
			r.originateAggregate(a)
		}
	}
}

func (r *RIB) withdrawAggregate(a *aggregate) {
	d := r.find(a.Prefix)
	if d == nil {
		return
	}
	if i := d.find(0); i >= 0 && d.paths[i].source == route.SourceAggregate {
		r.removePath(d, i, r.peers[0])
	}
}

// suppressed reports whether a summary-only aggregate stands for d.
func (r *RIB) suppressed(d *dest) bool {
	for _, a := range r.sums {
		if a.SummaryOnly && a.parts > 0 && a.covers(d.prefix) {
			return true
		}
	}
	return false
}
