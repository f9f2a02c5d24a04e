package azure

import (
	"fmt"
	"net/netip"
)

// anonymiser writes addresses and prefixes so that nobody is known by them. Private ones
// stay, for they are everybody's; each public one gets a number of its own, the same
// wherever it occurs. Of resources it knows no names, only numbers.
type anonymiser struct {
	public map[netip.Addr]int
	ids    map[string]int
}

// addr returns a as text.
func (n *anonymiser) addr(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch {
	case !a.IsValid():
		return "none"
	case !public(a) && !global6(a):
		return a.String()
	}
	if n.public == nil {
		n.public = map[netip.Addr]int{}
	}
	if n.public[a] == 0 {
		n.public[a] = len(n.public) + 1
	}
	return fmt.Sprintf("public-%d", n.public[a])
}

// global6 reports whether an IPv6 address may belong to somebody.
func global6(a netip.Addr) bool {
	return a.Is6() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast()
}

// prefix returns p as text.
func (n *anonymiser) prefix(p netip.Prefix) string {
	if !p.IsValid() {
		return "none"
	}
	return fmt.Sprintf("%s/%d", n.addr(p.Addr()), p.Bits())
}

// prefixes returns the first prefixes of a list as text, and how many there are.
func (n *anonymiser) prefixes(list []netip.Prefix) string {
	switch len(list) {
	case 0:
		return "no prefix"
	case 1:
		return n.prefix(list[0])
	}
	return fmt.Sprintf("%s and %d more", n.prefix(list[0]), len(list)-1)
}

// name returns a number for a resource, by its kind: NIC 1, VNet 2.
func (n *anonymiser) name(kind, id string) string {
	if n.ids == nil {
		n.ids = map[string]int{}
	}
	key := kind + " " + id
	if n.ids[key] == 0 {
		n.ids[kind]++
		n.ids[key] = n.ids[kind]
	}
	return fmt.Sprintf("%s %d", kind, n.ids[key])
}
