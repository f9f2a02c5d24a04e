package tomlfile

import (
	"fmt"
	"net/netip"
	"strings"
)

// Address returns a Value for an IP address that passes check, which may be nil.
func Address(p *netip.Addr, check func(netip.Addr) error) Value {
	return Parsed(p, "address", func(c Cell) (netip.Addr, bool) { return ParseAddress(c, check) }, func(a netip.Addr) string {
		if !a.IsValid() {
			return `""`
		}
		return quoted(a)
	})
}

func quoted[S fmt.Stringer](s S) string { return Quote(s.String()) }

// ParseAddress reads an IP address that passes check, which may be nil. It reports
// the fault of anything else and returns false.
func ParseAddress(c Cell, check func(netip.Addr) error) (netip.Addr, bool) {
	s, ok := c.Text("an IP address")
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil && strings.Contains(s, "/"):
		c.Fail("want an IP address without a prefix length, got %s", Show(s))
	case err != nil:
		c.Want("an IP address")
	case a.Is4In6():
		c.Fail("%s is an IPv4 address in IPv6 form; write %s", s, a.Unmap())
	case a.Zone() != "":
		c.Fail("want an address without a zone, got %s", Show(s))
	case check != nil && check(a) != nil:
		c.Fail("%v", check(a))
	default:
		return a, true
	}
	return netip.Addr{}, false
}

// Unicast refuses addresses that no host can have.
func Unicast(a netip.Addr) error {
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is not a unicast address", a)
	case a.IsLoopback():
		return fmt.Errorf("%s is a loopback address, which no other machine can reach", a)
	}
	return nil
}

// Unicast4 refuses all but IPv4 addresses that a host can have.
func Unicast4(a netip.Addr) error {
	if !a.Is4() {
		return fmt.Errorf("want an IPv4 address, got %s", a)
	}
	return Unicast(a)
}

// Multicast refuses all but multicast groups.
func Multicast(a netip.Addr) error {
	if !a.IsMulticast() {
		return fmt.Errorf("%s is not a multicast group", a)
	}
	return nil
}

// Addresses returns a Value for a list of at least one unicast address.
func Addresses(p *[]netip.Addr) Value {
	return List[netip.Addr]{
		Kind: "list of addresses", Want: "a list of IP addresses", NotEmpty: true,
		Parse: func(c Cell) (netip.Addr, bool) { return ParseAddress(c, Unicast) }, TOML: quoted[netip.Addr],
	}.At(p)
}

// Prefix returns a Value for a network: a prefix without bits beyond its length.
func Prefix(p *netip.Prefix) Value { return Parsed(p, "prefix", parseNetwork, quoted[netip.Prefix]) }

// Prefixes returns a Value for a list of at least one network.
func Prefixes(p *[]netip.Prefix) Value {
	return List[netip.Prefix]{
		Kind: "list of prefixes", Want: "a list of prefixes", NotEmpty: true, Parse: parseNetwork, TOML: quoted[netip.Prefix],
	}.At(p)
}

func parseNetwork(c Cell) (netip.Prefix, bool) {
	p, ok := parsePrefix(c, "a prefix (10.0.0.0/16)")
	if ok && p != p.Masked() {
		c.Fail("%s has bits set beyond its length; did you mean %s?", p, p.Masked())
		return netip.Prefix{}, false
	}
	return p, ok
}

func parsePrefix(c Cell, what string) (netip.Prefix, bool) {
	s, ok := c.Text(what)
	if !ok {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(s)
	if err == nil && !p.Addr().Is4In6() {
		return p, true
	}
	if a, aerr := netip.ParseAddr(s); aerr == nil && !a.Is4In6() {
		c.Fail("%s has no prefix length; want %s", s, what)
	} else {
		c.Want(what)
	}
	return netip.Prefix{}, false
}

// InterfaceAddresses returns a Value for the addresses of an interface with their lengths: one,
// or a list.
func InterfaceAddresses(p *[]netip.Prefix) Value {
	const one = "an address with its prefix length (169.254.0.1/24)"
	return List[netip.Prefix]{
		Kind: "address with length, or list", Want: one + " or a list of them", Alone: true, TOML: quoted[netip.Prefix],
		Identity: func(p netip.Prefix) any { return p.Addr() },
		Parse: func(c Cell) (netip.Prefix, bool) {
			p, ok := parsePrefix(c, one)
			if ok {
				if err := hostAddress(p); err != nil {
					c.Fail("%v", err)
					return p, false
				}
			}
			return p, ok
		},
	}.At(p)
}

// hostAddress refuses a prefix whose address no interface can have.
func hostAddress(p netip.Prefix) error {
	if a := p.Addr(); Unicast(a) == nil && a.Is4() && p.Bits() < 31 && p.Masked().Addr() == a {
		return fmt.Errorf("%s is the address of the network itself; want an address in it", p)
	}
	return Unicast(p.Addr())
}

// Listen returns a Value for a list of addresses with a port to listen on; an empty list is none.
func Listen(p *[]netip.AddrPort) Value {
	return List[netip.AddrPort]{
		Kind: "list of addresses with a port", Want: `a list of addresses with a port (["10.0.0.4:8080"])`,
		Parse: parseListen, TOML: quoted[netip.AddrPort],
	}.At(p)
}

func parseListen(c Cell) (netip.AddrPort, bool) {
	s, ok := c.Text("an address with a port")
	if !ok {
		return netip.AddrPort{}, false
	}
	e, err := netip.ParseAddrPort(s)
	switch a := e.Addr(); {
	case err != nil, e.Port() == 0:
		c.Want("an address with a port (10.0.0.4:8080, or 0.0.0.0:8080 for all addresses)")
	case a.Is4In6(), a.Zone() != "", a.IsMulticast():
		c.Fail("%s can't be an address of this NVA; want an address with a port (10.0.0.4:8080)", a)
	default:
		return e, true
	}
	return netip.AddrPort{}, false
}

// Interface refuses names that the kernel does not accept for a device.
func Interface(s string) error {
	switch {
	case s == "" || s == "." || s == "..":
		return fmt.Errorf("%s is not an interface name", Show(s))
	case len(s) > 15:
		return fmt.Errorf("%s has %d characters, but an interface name has at most 15", Show(s), len(s))
	case strings.ContainsAny(s, "/: \t\n\r\v\f") || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0:
		return fmt.Errorf("%s is not an interface name: it may not contain spaces, slashes, colons, or characters beyond ASCII", Show(s))
	}
	return nil
}
