package route

import (
	"cmp"
	"net/netip"
	"slices"
)

// Summary suggests a prefix to announce in place of several.
type Summary struct {
	Prefix   netip.Prefix
	Replaces int // prefixes that it consists of
}

// Summaries returns at most so many prefixes that several of list can be joined to, those
// that replace most first. The parts cover each of them completely, so no address is
// announced that was not announced before. Whether the parts have the same attributes is
// not checked.
func Summaries(list []netip.Prefix, most int) []Summary {
	byLength := [129]map[netip.Prefix]int{} // completely covered prefixes, and how many of list each consists of
	put := func(p netip.Prefix, n int) {
		if byLength[p.Bits()] == nil {
			byLength[p.Bits()] = map[netip.Prefix]int{}
		}
		byLength[p.Bits()][p] += n
	}
	for _, p := range slices.Compact(slices.SortedFunc(slices.Values(list), ComparePrefix)) {
		put(p, 1)
	}
	var out []Summary
	for bits := len(byLength) - 1; bits >= 0; bits-- {
		for p, n := range byLength[bits] {
			other, whole := byLength[bits][sibling(p)]
			switch {
			case bits > 0 && whole && isLower(p):
				put(netip.PrefixFrom(p.Addr(), bits-1), n+other)
			case (bits == 0 || !whole) && n > 1:
				out = append(out, Summary{p, n})
			}
		}
	}
	slices.SortFunc(out, func(a, b Summary) int {
		return cmp.Or(cmp.Compare(b.Replaces, a.Replaces), ComparePrefix(a.Prefix, b.Prefix))
	})
	return out[:min(most, len(out))]
}

// sibling returns the other half of the prefix that is one bit shorter; p itself if there
// is none.
func sibling(p netip.Prefix) netip.Prefix {
	if p.Bits() == 0 {
		return p
	}
	b := p.Addr().AsSlice()
	b[(p.Bits()-1)/8] ^= 0x80 >> ((p.Bits() - 1) % 8)
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, p.Bits())
}

// isLower reports whether p is the first half of the prefix that is one bit
// shorter.
func isLower(p netip.Prefix) bool { return p.Addr().Less(sibling(p).Addr()) }
