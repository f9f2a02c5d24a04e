package config

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Endpoint is an address with ports; without ports, it stands for all of them.
type Endpoint struct {
	Addr  netip.Addr
	Ports Ports
}

// String returns the endpoint in the form of the file: "10.0.0.4:1024-2047".
func (e Endpoint) String() string {
	switch {
	case !e.Addr.IsValid():
		return ""
	case e.Ports == Ports{}:
		return e.Addr.String()
	case e.Addr.Is6():
		return "[" + e.Addr.String() + "]:" + e.Ports.String()
	}
	return e.Addr.String() + ":" + e.Ports.String()
}

// Ports is a range of ports; the zero value is any port.
type Ports struct{ Low, High uint16 }

// String returns the range in the form of the file; empty for any port.
func (p Ports) String() string {
	switch {
	case p == Ports{}:
		return ""
	case p.Low == p.High:
		return strconv.Itoa(int(p.Low))
	}
	return strconv.Itoa(int(p.Low)) + "-" + strconv.Itoa(int(p.High))
}

// count returns the number of ports; 0 for any port.
func (p Ports) count() int {
	if p == (Ports{}) {
		return 0
	}
	return int(p.High) - int(p.Low) + 1
}

const whatPorts = `a port from 1 to 65535, or a range ("8000-8009")`

// ports returns a Value for a port, as a number or a string, or a range of them.
func ports(p *Ports) tomlfile.Value {
	return tomlfile.Parsed(p, "port or range", func(c tomlfile.Cell) (Ports, bool) {
		s, ok := c.Val.(string)
		if n, isNumber := c.Val.(int64); isNumber {
			s, ok = strconv.FormatInt(n, 10), true
		}
		list, valid := parsePorts(s)
		if !ok || !valid {
			c.Want(whatPorts)
		}
		return list, ok && valid
	}, func(p Ports) string {
		if p.count() == 1 {
			return p.String()
		}
		return tomlfile.Quote(p.String())
	})
}

func parsePorts(s string) (Ports, bool) {
	first, last, isRange := strings.Cut(s, "-")
	low, err := strconv.ParseUint(first, 10, 16)
	if err != nil || low == 0 {
		return Ports{}, false
	}
	high := low
	if isRange {
		high, err = strconv.ParseUint(last, 10, 16)
	}
	return Ports{uint16(low), uint16(high)}, err == nil && high >= low
}

const whatEndpoint = `an address, with or without ports ("10.0.0.4", "10.0.0.4:80", "[fd00::4]:8000-8009")`

// endpoint returns a Value for an address, or an address and ports. An IPv6 address with
// ports is written in brackets.
func endpoint(p *Endpoint) tomlfile.Value {
	return tomlfile.Parsed(p, "address with ports", parseEndpoint, func(e Endpoint) string { return tomlfile.Quote(e.String()) })
}

func parseEndpoint(c tomlfile.Cell) (e Endpoint, ok bool) {
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
