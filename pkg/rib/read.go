package rib

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// Path is a copy of one path for readers.
type Path struct {
	Prefix     netip.Prefix
	Neighbor   netip.Addr // it came from; invalid: local
	Source     route.Source
	Received   *route.Attrs
	Accepted   *route.Attrs // nil: rejected
	Rule       string       // that accepted or rejected it
	Weight     uint32
	At         time.Time
	Internal   bool
	Stale      bool
	Valid      bool // its next hop resolves
	Best       bool
	Multipath  bool
	Forwards   bool // its next hops are in the FIB
	Step       Step // by which the best path won
	Hops       []fib.NextHop
	Advertised []netip.Addr // neighbors that were sent the prefix
}

// Prefixes returns the number of prefixes with a path that policy accepted, and of such
// paths. Those of a lost session count until they are removed from the table.
func (r *RIB) Prefixes() (prefixes, paths int) { return r.in.routed, r.in.usable }

// Received returns the number of paths, including those that policy rejected.
func (r *RIB) Received() int { return r.in.paths }

// LinkName returns the name of a link by its index, "" if it is not known.
func (r *RIB) LinkName(index int) string { return r.under.links[index].Name }

// look finds a destination for readers, who must not see paths that are gone.
func (r *RIB) look(prefix netip.Prefix) *dest {
	d := r.table.find(prefix)
	if d == nil {
		return nil
	}
	for i := len(d.paths) - 1; i >= 0; i-- {
		if p := r.peers.of(&d.paths[i]); p.isGone(&d.paths[i], d.family()) {
			r.in.cut(d, i, p)
			r.touch(d, p.id)
		}
	}
	return d
}

// Covering returns the longest prefix around addr with a path that policy accepted.
func (r *RIB) Covering(addr netip.Addr) (netip.Prefix, bool) {
	for bits := addr.BitLen(); bits >= 0; bits-- {
		prefix := netip.PrefixFrom(addr, bits).Masked()
		if d := r.look(prefix); d != nil && d.usable > 0 {
			return prefix, true
		}
	}
	return netip.Prefix{}, false
}

// Snapshot returns the prefixes of the table, in no particular order.
func (r *RIB) Snapshot() []netip.Prefix {
	out := make([]netip.Prefix, len(r.table.all))
	for i, d := range r.table.all {
		out[i] = d.prefix
	}
	return out
}

// Lookup calls yield with each path of prefix, including those that policy rejected.
func (r *RIB) Lookup(prefix netip.Prefix, yield func(Path)) {
	d := r.look(prefix)
	if d == nil {
		return
	}
	for i := range d.paths {
		yield(r.view(d, i))
	}
}

// From calls yield with the path of prefix that came from neighbor, if any.
func (r *RIB) From(prefix netip.Prefix, neighbor netip.Addr, yield func(Path)) {
	d, p := r.look(prefix), r.peers.byAddr[neighbor]
	if d == nil || p == nil {
		return
	}
	if i := d.find(p.id); i >= 0 {
		yield(r.view(d, i))
	}
}

// Sent returns what neighbor was sent of prefix, nil if nothing.
func (r *RIB) Sent(prefix netip.Prefix, neighbor netip.Addr) *route.Attrs {
	d, p := r.look(prefix), r.peers.byAddr[neighbor]
	if d == nil || p == nil {
		return nil
	}
	return d.sent(p)
}

func (r *RIB) view(d *dest, i int) Path {
	pt := &d.paths[i]
	p := r.peers.of(pt)
	v := Path{
		Prefix: d.prefix, Neighbor: p.Address, Source: pt.source,
		Received: pt.received, Accepted: pt.accepted,
		Weight: p.Weight, At: time.Unix(int64(pt.at), 0), Internal: p.internal && pt.peer != 0,
		Stale: p.isStale(pt), Valid: pt.valid(),
		Best: int(d.best) == i, Multipath: pt.flags&flagMultipath != 0, Step: d.step,
	}
	v.Forwards = d.forwards() != nil && (v.Multipath || v.Best)
	if pt.peer != 0 {
		v.Rule = p.rejectReason(pt)
	}
	if pt.extra != nil {
		v.Weight = pt.extra.weight
	}
	if pt.hop != nil {
		v.Hops = pt.hop.hops
	}
	if v.Best {
		for _, a := range d.out {
			if p := r.peers.byID[a.peer]; p.epoch == a.epoch {
				v.Advertised = append(v.Advertised, p.Address)
			}
		}
	}
	return v
}
