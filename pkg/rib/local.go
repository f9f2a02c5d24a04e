package rib

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// Local is a route that this router originates.
type Local struct {
	Prefix netip.Prefix
	Source route.Source // SourceNetwork, SourceAggregate, ...
	Attrs  *route.Attrs // interned
}

// SetLocal replaces the routes that this router originates. They are never put
// in the kernel.
func (r *RIB) SetLocal(list []Local) {
	local := r.peers[0]
	want := make(map[netip.Prefix]bool, len(list))
	for _, l := range list {
		want[l.Prefix] = true
		d := r.dest(l.Prefix)
		pt := path{received: l.Attrs, accepted: l.Attrs, source: l.Source}
		if i := d.find(0); i < 0 {
			d.paths = append(d.paths, pt)
			r.count(local, &pt)
		} else {
			d.paths[i] = pt
		}
		r.touch(d)
	}
	for _, d := range r.all {
		if i := d.find(0); i >= 0 && !want[d.prefix] {
			r.removePath(d, i, local)
		}
	}
}
