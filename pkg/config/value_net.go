package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// address is an IP address that passes check, which may be nil.
type address struct {
	p     *netip.Addr
	check func(netip.Addr) error
}

func (v address) set(c cell) {
	if a, ok := parseAddress(c, v.check); ok {
		*v.p = a
	}
}

func (address) kind() string { return "address" }

func (v address) toml() string {
	if !v.p.IsValid() {
		return `""`
	}
	return quote(v.p.String())
}

func parseAddress(c cell, check func(netip.Addr) error) (netip.Addr, bool) {
	s, ok := c.text("an IP address")
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil && strings.Contains(s, "/"):
		c.fail("want an IP address without a length, got %s", show(s))
	case err != nil:
		c.want("an IP address")
	case a.Is4In6():
		c.fail("write %s as an IPv4 address: %s", s, a.Unmap())
	case a.Zone() != "":
		c.fail("want an address without a zone, got %s", show(s))
	case check != nil && check(a) != nil:
		c.fail("%v", check(a))
	default:
		return a, true
	}
	return netip.Addr{}, false
}

// unicast refuses what no host has as its address.
func unicast(a netip.Addr) error {
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is not a unicast address", a)
	case a.IsLoopback():
		return fmt.Errorf("%s is a loopback address", a)
	}
	return nil
}

func multicast(a netip.Addr) error {
	if !a.IsMulticast() {
		return fmt.Errorf("%s is not a multicast group", a)
	}
	return nil
}

// addresses is a list of IP addresses, at least one and none of them twice.
type addresses struct {
	p     *[]netip.Addr
	check func(netip.Addr) error
}

func (v addresses) set(c cell) {
	cells, ok := c.items("a list of IP addresses")
	if !ok {
		return
	}
	if len(cells) == 0 {
		c.fail("want at least one address")
	}
	var out []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, item := range cells {
		a, ok := parseAddress(item, v.check)
		if ok && seen[a] {
			item.fail("%s is listed twice", a)
		}
		if ok && !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	*v.p = out
}

func (addresses) kind() string { return "list of addresses" }

func (v addresses) toml() string {
	return list(*v.p, func(a netip.Addr) string { return quote(a.String()) })
}

// prefix is a network: no bits beyond its length.
type prefix struct{ p *netip.Prefix }

func (v prefix) set(c cell) {
	if p, ok := parsePrefix(c, "a prefix (10.0.0.0/16)"); ok {
		if p != p.Masked() {
			c.fail("%s has bits set beyond its length; the network is %s", p, p.Masked())
			return
		}
		*v.p = p
	}
}

func (prefix) kind() string { return "prefix" }

func (v prefix) toml() string { return quote(v.p.String()) }

func parsePrefix(c cell, what string) (netip.Prefix, bool) {
	s, ok := c.text(what)
	if !ok {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(s)
	if err == nil && !p.Addr().Is4In6() {
		return p, true
	}
	if a, aerr := netip.ParseAddr(s); aerr == nil && !a.Is4In6() {
		c.fail("%s has no length; want %s", s, what)
	} else {
		c.want(what)
	}
	return netip.Prefix{}, false
}

// interfaceAddresses is one address with its length, or a list of them.
type interfaceAddresses struct{ p *[]netip.Prefix }

const whatInterface = "an address with its length (169.254.0.1/24)"

func (v interfaceAddresses) set(c cell) {
	cells := []cell{c}
	if _, single := c.val.(string); !single {
		var ok bool
		if cells, ok = c.items(whatInterface + " or a list of them"); !ok {
			return
		}
	}
	var out []netip.Prefix
	seen := map[netip.Addr]bool{}
	for _, item := range cells {
		p, ok := parsePrefix(item, whatInterface)
		if !ok {
			continue
		}
		if err := hostAddress(p, seen); err != nil {
			item.fail("%v", err)
			continue
		}
		out = append(out, p)
	}
	*v.p = out
}

// hostAddress refuses a prefix whose address no interface can have, or has
// already.
func hostAddress(p netip.Prefix, seen map[netip.Addr]bool) error {
	a := p.Addr()
	switch {
	case seen[a]:
		return fmt.Errorf("%s is listed twice", a)
	case unicast(a) != nil:
		return unicast(a)
	case a.Is4() && p.Bits() < 31 && p.Masked().Addr() == a:
		return fmt.Errorf("%s is the network itself, not an address in it", p)
	}
	seen[a] = true
	return nil
}

func (interfaceAddresses) kind() string { return "address with length, or list" }

func (v interfaceAddresses) toml() string {
	one := func(p netip.Prefix) string { return quote(p.String()) }
	if len(*v.p) == 1 {
		return one((*v.p)[0])
	}
	return list(*v.p, one)
}

// checkInterface holds to what the kernel takes as a device name.
func checkInterface(s string) error {
	switch {
	case s == "" || s == "." || s == "..":
		return fmt.Errorf("%s is not an interface name", show(s))
	case len(s) > 15:
		return fmt.Errorf("%s has %d characters; an interface name has at most 15", show(s), len(s))
	case strings.ContainsAny(s, "/: \t\n\r\v\f") || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0:
		return fmt.Errorf("%s is not an interface name: no space, slash, colon or character beyond ASCII", show(s))
	}
	return nil
}
