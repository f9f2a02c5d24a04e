package rib

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Ignored is what a neighbor does not heed, though export policy lets it pass.
// Azure does so without a word, so it is held back and shown instead.
type Ignored struct {
	VNet   []netip.Prefix // these, and what is in them: the VNet's own routes win
	Subnet []netip.Prefix // exactly these may be RouteServerSubnet
}

// mostIgnored bounds the prefixes that are remembered to be shown.
const mostIgnored = 64

// ignores reports whether p would do nothing with a prefix, and remembers it.
func (p *peer) ignores(prefix netip.Prefix) (hold, bool) {
	why := sent
	switch {
	case p.Ignored.vnetOf(prefix).IsValid():
		why = inVNet
	case slices.Contains(p.Ignored.Subnet, prefix):
		why = serverSubnet
	default:
		return sent, false
	}
	if !slices.Contains(p.ignored, prefix) && len(p.ignored) < mostIgnored {
		p.ignored = append(p.ignored, prefix)
	}
	return why, true
}

// vnetOf is the part of the VNet's address space that prefix is in; invalid if
// it is in none.
func (i Ignored) vnetOf(prefix netip.Prefix) netip.Prefix {
	for _, v := range i.VNet {
		if v.Bits() <= prefix.Bits() && v.Contains(prefix.Addr()) {
			return v
		}
	}
	return netip.Prefix{}
}

// ignoredReason says why prefix is held back.
func (p *peer) ignoredReason(prefix netip.Prefix, h hold) string {
	if h == serverSubnet {
		return "it is RouteServerSubnet, which Azure ignores"
	}
	return fmt.Sprintf("in the VNet's own address space %s, which Azure ignores", p.Ignored.vnetOf(prefix))
}

// IgnoredCount is at least how many prefixes are held back so from all neighbors.
func (r *RIB) IgnoredCount() (n int) {
	for _, p := range r.byAddr {
		n += len(p.ignored)
	}
	return n
}

// HeldIgnored returns the prefixes that are held back from a neighbor because it
// would ignore them, in order; at most 64.
func (r *RIB) HeldIgnored(addr netip.Addr) []netip.Prefix {
	p := r.byAddr[addr]
	p.ignored = slices.DeleteFunc(p.ignored, func(prefix netip.Prefix) bool {
		d := r.find(prefix)
		if d == nil || !p.up {
			return true
		}
		_, why, _ := r.export(d, p)
		return why != inVNet && why != serverSubnet
	})
	out := slices.Clone(p.ignored)
	slices.SortFunc(out, route.ComparePrefix)
	return out
}
