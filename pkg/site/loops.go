package site

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// loops reports packets that two NVAs send to each other. Without a route of its own for a
// part of what it summarizes, an NVA follows a shorter route, and that may lead to the NVA
// that the packet came from.
func (d *differ) loops() {
	tables := make([]*bart.Table[*nva], len(d.nvas))
	for i, n := range d.nvas {
		tables[i] = d.towards(n)
	}
	for i, a := range d.nvas {
		for j := i + 1; j < len(d.nvas); j++ {
			b := d.nvas[j]
			circling := map[netip.Prefix]bool{}
			circles(tables[i], tables[j], a, b, circling)
			circles(tables[j], tables[i], b, a, circling)
			d.loop(a, b, circling)
		}
	}
}

func (d *differ) loop(a, b *nva, circling map[netip.Prefix]bool) {
	if len(circling) == 0 {
		return
	}
	prefixes := slices.SortedFunc(maps.Keys(circling), netip.Prefix.Compare)
	list := make([]string, len(prefixes))
	for i, p := range prefixes {
		list[i] = p.String()
	}
	d.findPrefixes(SummaryLoop, Error, "", []*nva{a, b}, prefixes,
		fmt.Sprintf("%s sends packets to parts of %s to %s, which sends them back: they loop until their TTL ends.", a.Name, listed(list, ", "), b.Name),
		"On the NVA that the summary belongs to, add a [[static-route]] for it with blackhole = true: more specific routes still win, and packets without one are dropped.")
}

// towards returns for each prefix of n's table the NVA to which it leads; nil stands for
// everything else.
func (d *differ) towards(n *nva) *bart.Table[*nva] {
	t := &bart.Table[*nva]{}
	for _, r := range n.Routes {
		var far *nva
		for _, via := range r.Via {
			if w, known := n.reach[via]; known {
				far = w.link.other(w.from).nva
			}
		}
		t.Insert(r.Prefix, far)
	}
	for _, p := range n.Local {
		t.Insert(p, nil)
	}
	return t
}

// circles adds the prefixes of ta whose packets go from a to b and back.
func circles(ta, tb *bart.Table[*nva], a, b *nva, found map[netip.Prefix]bool) {
	for p, far := range ta.All() {
		if far != b {
			continue
		}
		if back, ok := tb.LookupPrefix(p); !ok || back != a {
			continue
		}
		if !covered(p, append(elsewhere(ta, p, b), elsewhere(tb, p, a)...)) {
			found[p] = true
		}
	}
}

// elsewhere returns the more specific routes within p that do not lead to far.
func elsewhere(t *bart.Table[*nva], p netip.Prefix, far *nva) (list []netip.Prefix) {
	for q, to := range t.Subnets(p) {
		if q != p && to != far {
			list = append(list, q)
		}
	}
	return list
}

// covered reports whether prefixes within p have all its addresses.
func covered(p netip.Prefix, within []netip.Prefix) bool {
	slices.SortFunc(within, netip.Prefix.Compare)
	share, last := 0.0, netip.Prefix{}
	for _, q := range within {
		if last.IsValid() && last.Contains(q.Addr()) {
			continue
		}
		last = q
		share += math.Ldexp(1, p.Bits()-q.Bits())
	}
	return share >= 1
}
