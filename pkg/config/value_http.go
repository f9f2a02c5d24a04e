package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// endpoints is a list of addresses with a port, none of them twice; empty is
// none.
type endpoints struct{ p *[]netip.AddrPort }

func (v endpoints) set(c cell) {
	cells, ok := c.items(`a list of addresses with a port (["10.0.0.4:8080"])`)
	if !ok {
		return
	}
	var out []netip.AddrPort
	seen := map[netip.AddrPort]bool{}
	for _, item := range cells {
		e, ok := parseEndpoint(item)
		switch {
		case !ok:
		case seen[e]:
			item.fail("%s is listed twice", e)
		default:
			seen[e] = true
			out = append(out, e)
		}
	}
	*v.p = out
}

func parseEndpoint(c cell) (netip.AddrPort, bool) {
	s, ok := c.text("an address with a port")
	if !ok {
		return netip.AddrPort{}, false
	}
	e, err := netip.ParseAddrPort(s)
	switch a := e.Addr(); {
	case err != nil, e.Port() == 0:
		c.want("an address with a port (10.0.0.4:8080, or 0.0.0.0:8080 for every one)")
	case a.Is4In6(), a.Zone() != "", a.IsMulticast():
		c.fail("want an address of this NVA, got %s", a)
	default:
		return e, true
	}
	return netip.AddrPort{}, false
}

func (endpoints) kind() string { return "list of addresses with a port" }

func (v endpoints) toml() string {
	return list(*v.p, func(e netip.AddrPort) string { return quote(e.String()) })
}

// names is a list of names, none of them twice.
type names struct{ p *[]string }

func (v names) set(c cell) {
	cells, ok := c.items("a list of names")
	if !ok {
		return
	}
	var out []string
	seen := map[string]bool{}
	for _, item := range cells {
		switch s, ok := item.text("a name"); {
		case !ok:
		case seen[s]:
			item.fail("%s is listed twice", show(s))
		default:
			seen[s] = true
			out = append(out, s)
		}
	}
	*v.p = out
}

func (names) kind() string { return "list of names" }

func (v names) toml() string { return list(*v.p, quote) }

// numbers is a table of a positive number for each of some names.
type numbers struct{ p *map[string]int }

func (v numbers) set(c cell) {
	t, ok := c.table()
	if !ok {
		return
	}
	out := map[string]int{}
	t.each(func(name string, c cell) {
		n := 0
		number(&n, 1, maxUint16).set(c)
		out[name] = n
	})
	*v.p = out
	if len(out) == 0 {
		*v.p = nil
	}
}

func (numbers) kind() string { return "table of numbers" }

func (v numbers) toml() string {
	var parts []string
	for _, name := range sortedKeys(*v.p) {
		parts = append(parts, fmt.Sprintf("%s = %s", tomlKey(name), strconv.Itoa((*v.p)[name])))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}
