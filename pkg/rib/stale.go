package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

func (r *RIB) markStale(d *dest, i int, p *peer) {
	pt := &d.paths[i]
	if pt.flags&flagStale != 0 {
		// Lost twice in a row: not announced since the last restart, so the
		// neighbor does not have it any more (RFC 4724 4.2).
		r.removePath(d, i, p)
		return
	}
	pt.flags |= flagStale
	p.counts.Stale++
}

// SweepStale removes the routes of the given families that the neighbor has
// not announced again since it restarted (RFC 4724 4.2).
func (r *RIB) SweepStale(addr netip.Addr, f route.Family) {
	p := r.byAddr[addr]
	if p == nil || p.counts.Stale == 0 {
		return
	}
	for _, d := range r.all {
		if !f.Has(route.FamilyOf(d.prefix)) {
			continue
		}
		if i := d.find(p.id); i >= 0 && d.paths[i].flags&flagStale != 0 {
			r.removePath(d, i, p)
		}
	}
}
