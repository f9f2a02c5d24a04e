package rib

import (
	"slices"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// backupHops returns how d is reached should every next hop of its route die: the
// next hops of the best path that needs none of them; nil if there is none. It is
// chosen when d is decided about, so that a failure finds it in the kernel.
func (r *RIB) backupHops(d *dest, primary []fib.NextHop) []fib.NextHop {
	if len(d.paths) < 2 {
		return nil
	}
	left, keys := r.work.left[:0], r.work.keys[:0]
	for i := range d.paths {
		k := key{}
		if d.paths[i].bypasses(primary) {
			k = r.key(&d.paths[i])
			left = append(left, i)
		}
		keys = append(keys, k)
	}
	r.work.left, r.work.keys = left, keys
	if len(left) == 0 {
		return nil
	}
	left = narrow(left, keys, func(Step, []int) {})
	return d.paths[left[0]].hop.hops
}

// bypasses reports whether traffic by way of pt takes none of hops.
func (pt *path) bypasses(hops []fib.NextHop) bool {
	if pt.source != route.SourceBGP || !pt.valid() || slices.Contains(pt.accepted.Communities, route.Blackhole) {
		return false
	}
	return !slices.ContainsFunc(pt.hop.hops, func(h fib.NextHop) bool { return slices.Contains(hops, h) })
}
