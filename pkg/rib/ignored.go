package rib

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Ignored lists prefixes that a neighbor ignores although export policy accepts them. Azure
// does so silently, so nvad holds them back and shows that it does.
type Ignored struct {
	VNet   []netip.Prefix // these, and all within them: the VNet's own routes win
	Subnet []netip.Prefix // exactly these: one of them is RouteServerSubnet
}

// mostIgnored bounds the prefixes that are remembered to be shown.
const mostIgnored = 64

// ignores reports whether p would ignore a prefix, and remembers it.
func (p *peer) ignores(prefix netip.Prefix) (hold, bool) {
	why := sent
	switch {
	case len(p.Ignored.VNet) == 0 && len(p.Ignored.Subnet) == 0: // nearly always
		return sent, false
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

// vnetOf returns the part of the VNet's address space that contains prefix; invalid if none
// does.
func (i *Ignored) vnetOf(prefix netip.Prefix) netip.Prefix {
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

// IgnoredCount returns how many prefixes are held back so from all neighbors; there may be
// more than are remembered.
func (r *RIB) IgnoredCount() (n int) {
	for _, p := range r.peers.byAddr {
		n += len(p.ignored)
	}
	return n
}

// HeldIgnored returns the prefixes that are held back from a neighbor because it would
// ignore them, in order; at most 64.
func (r *RIB) HeldIgnored(addr netip.Addr) []netip.Prefix {
	p := r.peers.byAddr[addr]
	p.ignored = slices.DeleteFunc(p.ignored, func(prefix netip.Prefix) bool {
		d := r.table.find(prefix)
		if d == nil || !p.up {
			return true
		}
		h := r.export(d, p).hold
		return h != inVNet && h != serverSubnet
	})
	out := slices.Clone(p.ignored)
	slices.SortFunc(out, route.ComparePrefix)
	return out
}
