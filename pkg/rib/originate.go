package rib

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Local is a route that this router originates.
type Local struct {
	Prefix netip.Prefix
	Source route.Source // SourceNetwork, SourceConnected, ...
	Attrs  *route.Attrs // interned
	// Floats says that it is originated because of a floating static route. While that
	// gives way to a neighbor's route, so does this one.
	Floats bool
}

var (
	defaultIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	defaultIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

// SetLocal replaces the routes that this router originates, except aggregates. They are
// never installed in the kernel. While one is best, neither is a neighbor's route for the
// same prefix: packets follow more specific routes, or a less specific one. An aggregate
// for the same prefix gives way to it.
func (r *RIB) SetLocal(list []Local) {
	want := make(map[netip.Prefix]bool, len(list))
	for _, l := range list {
		want[l.Prefix] = true
		r.originate(l)
	}
	for prefix := range r.loc.locals {
		if d := r.table.find(prefix); !want[prefix] && r.in.retract(d, false) {
			r.touch(d, 0)
			r.followSums(r.loc.sumsFor(prefix))
		}
	}
	r.loc.locals = want
}

func (r *RIB) originate(l Local) {
	if d := r.table.get(l.Prefix); r.in.originate(d, l) {
		r.touch(d, 0)
	}
}

// Aggregate originates Prefix while the table contains a more specific valid route
// (RFC 4271 9.2.2.2). SummaryOnly keeps those from being advertised.
type Aggregate struct {
	Prefix      netip.Prefix
	SummaryOnly bool
	Attrs       *route.Attrs // interned
}

type aggregate struct {
	Aggregate
	parts int  // destinations that contribute, and 1 if it stays
	stays bool // until the table's walk has counted what contributes
}

func (a *aggregate) covers(p netip.Prefix) bool {
	return p.Bits() > a.Prefix.Bits() && a.Prefix.Contains(p.Addr())
}

// SetAggregates replaces the aggregates. The table's walk counts again what contributes to
// them. Until it is over an aggregate that was originated stays so, or else each reload
// would withdraw it for a moment.
func (r *RIB) SetAggregates(list []Aggregate) {
	if flips, changed := r.loc.setAggregates(list); changed {
		r.followSums(flips)
		r.requestAll(decides)
	}
}

// aggregate counts d for the aggregates that cover it.
func (r *RIB) aggregate(d *dest) {
	if flips := r.loc.contribute(d); flips != nil {
		r.followSums(flips)
	}
}

// followSums originates each aggregate that something contributes to, and withdraws the
// others.
func (r *RIB) followSums(list []*aggregate) {
	for _, a := range list {
		if a.parts > 0 {
			r.originate(Local{Prefix: a.Prefix, Source: route.SourceAggregate, Attrs: a.Attrs})
		} else if d := r.table.find(a.Prefix); d != nil && r.in.retract(d, true) {
			r.touch(d, 0)
		}
	}
}

// setAggregates returns the aggregates to originate or withdraw, and whether anything has
// changed.
func (s *locRIB) setAggregates(list []Aggregate) (flips []*aggregate, changed bool) {
	old := s.sums
	if slices.EqualFunc(old, list, func(a *aggregate, b Aggregate) bool { return a.Aggregate == b }) {
		return nil, false
	}
	s.sums = make([]*aggregate, 0, len(list))
	s.sumsGen++
	for _, a := range list {
		s.sums = append(s.sums, &aggregate{Aggregate: a})
	}
	for _, was := range old {
		if was.parts == 0 {
			continue
		}
		if i := slices.IndexFunc(s.sums, func(a *aggregate) bool { return a.Prefix == was.Prefix }); i >= 0 {
			s.sums[i].stays, s.sums[i].parts = true, 1
			flips = append(flips, s.sums[i])
		} else {
			was.parts = 0
			flips = append(flips, was)
		}
	}
	return flips, true
}

// recounted ends the counting after a change. It returns the aggregates that nothing was
// found to contribute to.
func (s *locRIB) recounted() (flips []*aggregate) {
	for _, a := range s.sums {
		if !a.stays {
			continue
		}
		a.stays = false
		if a.parts--; a.parts == 0 {
			flips = append(flips, a)
		}
	}
	return flips
}

// contribute keeps count of the destinations below each aggregate. It returns the
// aggregates of which d is the first part, or was the last. Aggregates count for those that
// cover them, too.
func (s *locRIB) contribute(d *dest) (flips []*aggregate) {
	adds := d.best >= 0
	if adds == (d.adds == s.sumsGen) || len(s.sums) == 0 {
		return nil
	}
	d.adds = 0
	flipsAt, step := 1, -1
	if adds {
		d.adds, flipsAt, step = s.sumsGen, 0, 1
	}
	for _, a := range s.sums {
		if !a.covers(d.prefix) {
			continue
		}
		if a.parts == flipsAt {
			flips = append(flips, a)
		}
		a.parts += step
	}
	return flips
}

// sumsFor returns the aggregates for a prefix that something contributes to.
func (s *locRIB) sumsFor(prefix netip.Prefix) (list []*aggregate) {
	for _, a := range s.sums {
		if a.Prefix == prefix && a.parts > 0 {
			list = append(list, a)
		}
	}
	return list
}

// suppressed reports whether a summary-only aggregate is advertised in place of d.
func (s *locRIB) suppressed(d *dest) bool {
	for _, a := range s.sums {
		if a.SummaryOnly && a.parts > 0 && a.covers(d.prefix) {
			return true
		}
	}
	return false
}
