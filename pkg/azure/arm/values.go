package arm

import (
	"iter"
	"net/netip"
	"strings"
)

// val returns what p points to, and the zero value for nil: Azure leaves out fields at will.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// each goes through what a list points to: Azure may put null into it.
func each[T any](list []*T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, p := range list {
			if p != nil && !yield(*p) {
				return
			}
		}
	}
}

// str returns a string of any of the SDK's types of strings.
func str[T ~string](p *T) string { return string(val(p)) }

// low returns a resource ID in lower case: Azure writes the same ID in several ways.
func low(p *string) string { return strings.ToLower(val(p)) }

// parent returns the ID of the resource that id is a part of: a VNet's for a subnet's.
func parent(id string) string {
	for range 2 {
		id = id[:max(0, strings.LastIndexByte(id, '/'))]
	}
	return id
}

// address returns the address in p, or none.
func address(p *string) netip.Addr {
	a, _ := netip.ParseAddr(val(p))
	return a.Unmap()
}

// addresses returns the addresses in list. Others are left out.
func addresses(list []*string) []netip.Addr {
	var out []netip.Addr
	for _, p := range list {
		if a := address(p); a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}

// prefixes returns the prefixes in lists; an asterisk is every address. Names of service
// tags are left out.
func prefixes(lists ...[]*string) []netip.Prefix {
	var out []netip.Prefix
	for _, list := range lists {
		for _, p := range list {
			if prefix, ok := prefix(val(p)); ok {
				out = append(out, prefix)
			}
		}
	}
	return out
}

func prefix(text string) (netip.Prefix, bool) {
	if text == "*" {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil
}

// strs returns the strings in list.
func strs(list []*string) []string {
	var out []string
	for s := range each(list) {
		out = append(out, s)
	}
	return out
}
