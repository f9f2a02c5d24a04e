package config

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/nat"
)

const whatPorts = `a port from 1 to 65535, or a range ("8000-8009")`

// ports returns a Value for a port, as a number or a string, or a range of them.
func ports(p *nat.Ports) tomlfile.Value {
	return tomlfile.Parsed(p, "port or range", func(c tomlfile.Cell) (nat.Ports, bool) {
		s, ok := c.Val.(string)
		if n, isNumber := c.Val.(int64); isNumber {
			s, ok = strconv.FormatInt(n, 10), true
		}
		list, valid := parsePorts(s)
		if !ok || !valid {
			c.Want(whatPorts)
		}
		return list, ok && valid
	}, func(p nat.Ports) string {
		if p.Count() == 1 {
			return p.String()
		}
		return tomlfile.Quote(p.String())
	})
}

func parsePorts(s string) (nat.Ports, bool) {
	first, last, isRange := strings.Cut(s, "-")
	low, err := strconv.ParseUint(first, 10, 16)
	if err != nil || low == 0 {
		return nat.Ports{}, false
	}
	high := low
	if isRange {
		high, err = strconv.ParseUint(last, 10, 16)
	}
	return nat.Ports{Low: uint16(low), High: uint16(high)}, err == nil && high >= low
}

const whatEndpoint = `an address, with or without ports ("10.0.0.4", "10.0.0.4:80", "[fd00::4]:8000-8009")`

// endpoint returns a Value for an address, or an address and ports. An IPv6 address with
// ports is written in brackets.
func endpoint(p *nat.Endpoint) tomlfile.Value {
	return tomlfile.Parsed(p, "address with ports", parseEndpoint, func(e nat.Endpoint) string { return tomlfile.Quote(e.String()) })
}

func parseEndpoint(c tomlfile.Cell) (e nat.Endpoint, ok bool) {
	s, ok := c.Text(whatEndpoint)
	if !ok {
		return e, false
	}
	host, tail := splitEndpoint(s)
	if tail != "" {
		if e.Ports, ok = parsePorts(tail[1:]); !ok || tail[0] != ':' {
			c.Want(whatEndpoint)
			return e, false
		}
	}
	if _, err := netip.ParseAddr(host); err != nil {
		c.Want(whatEndpoint)
		return e, false
	}
	c.Val = host
	e.Addr, ok = tomlfile.ParseAddress(c, tomlfile.Unicast)
	return e, ok
}

// splitEndpoint cuts s after the address; tail begins with the colon.
func splitEndpoint(s string) (host, tail string) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if host, tail, ok = strings.Cut(inner, "]"); ok {
			return host, tail
		}
	}
	if i := strings.IndexByte(s, ':'); i >= 0 && i == strings.LastIndexByte(s, ':') {
		return s[:i], s[i:]
	}
	return s, ""
}
