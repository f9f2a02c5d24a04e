package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// prefixes is a list of networks, at least one and none of them twice.
type prefixes struct{ p *[]netip.Prefix }

func (v prefixes) set(c cell) {
	cells, ok := c.items("a list of prefixes")
	if !ok {
		return
	}
	if len(cells) == 0 {
		c.fail("want at least one prefix")
	}
	var out []netip.Prefix
	seen := map[netip.Prefix]bool{}
	for _, item := range cells {
		var p netip.Prefix
		prefix{&p}.set(item)
		switch {
		case !p.IsValid(): // reported
		case seen[p]:
			item.fail("%s is listed twice", p)
		default:
			seen[p] = true
			out = append(out, p)
		}
	}
	*v.p = out
}

func (prefixes) kind() string { return "list of prefixes" }

func (v prefixes) toml() string {
	return list(*v.p, func(p netip.Prefix) string { return quote(p.String()) })
}

// ports is a port as a number or a text, or a range of them.
type ports struct{ p *Ports }

const whatPorts = `a port from 1 to 65535, or a range ("8000-8009")`

func (v ports) set(c cell) {
	s, ok := c.val.(string)
	if n, isNumber := c.val.(int64); isNumber {
		s, ok = strconv.FormatInt(n, 10), true
	}
	if p, valid := parsePorts(s); ok && valid {
		*v.p = p
		return
	}
	c.want(whatPorts)
}

func (ports) kind() string { return "port or range" }

func (v ports) toml() string {
	if v.p.count() == 1 {
		return v.p.String()
	}
	return quote(v.p.String())
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

// endpoint is an address, or an address and ports. An IPv6 address with ports
// stands in brackets.
type endpoint struct{ p *Endpoint }

const whatEndpoint = `an address, with ports if need be ("10.0.0.4", "10.0.0.4:80", "[fd00::4]:8000-8009")`

func (v endpoint) set(c cell) {
	s, ok := c.text(whatEndpoint)
	if !ok {
		return
	}
	host, tail := splitEndpoint(s)
	var e Endpoint
	if tail != "" {
		if e.Ports, ok = parsePorts(tail[1:]); !ok || tail[0] != ':' {
			c.want(whatEndpoint)
			return
		}
	}
	if _, err := netip.ParseAddr(host); err != nil {
		c.want(whatEndpoint)
		return
	}
	c.val = host
	if e.Addr, ok = parseAddress(c, unicast); ok {
		*v.p = e
	}
}

// splitEndpoint cuts what follows the address, its colon included.
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

func (endpoint) kind() string { return "address with ports" }

func (v endpoint) toml() string { return quote(v.p.String()) }

// mssClamp is "auto", "off" or a size.
type mssClamp struct{ p *MSSClamp }

// Segment sizes that fit the smallest and the largest MTU of IPv4.
const minMSS, maxMSS = 536, 65495

func (v mssClamp) set(c cell) {
	n, isNumber := c.val.(int64)
	switch {
	case c.val == "auto":
		*v.p = MSSAuto
	case c.val == "off":
		*v.p = MSSOff
	case isNumber && n >= minMSS && n <= maxMSS:
		*v.p = MSSClamp(n)
	default:
		c.fail("want \"auto\", \"off\" or a number from %d to %d, got %s", minMSS, maxMSS, show(c.val))
	}
}

func (mssClamp) kind() string { return `"auto", "off" or number` }

func (v mssClamp) toml() string {
	switch *v.p {
	case MSSAuto:
		return `"auto"`
	case MSSOff:
		return `"off"`
	}
	return strconv.Itoa(int(*v.p))
}
