package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// Masquerade gives packets that leave through a device its address.
type Masquerade struct {
	Out                string
	Source             netip.Prefix
	ExceptDestinations []netip.Prefix
	ExceptSources      []netip.Prefix
}

// SNAT gives packets from Source that leave through Out another source.
type SNAT struct {
	Source netip.Prefix
	Out    string
	To     Endpoint
}

// DNAT sends packets elsewhere. At least one of In and Destination is given.
type DNAT struct {
	In          string
	Destination netip.Addr
	Protocol    string // any, tcp, udp
	Ports       Ports
	To          Endpoint
}

// Endpoint is an address and, unless zero, ports there.
type Endpoint struct {
	Addr  netip.Addr
	Ports Ports
}

// String is the endpoint as in the file: "10.0.0.4:1024-2047".
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

// Ports is a range of ports; zero is any.
type Ports struct{ Low, High uint16 }

// String is the range as in the file; empty for any.
func (p Ports) String() string {
	switch {
	case p == Ports{}:
		return ""
	case p.Low == p.High:
		return strconv.Itoa(int(p.Low))
	}
	return strconv.Itoa(int(p.Low)) + "-" + strconv.Itoa(int(p.High))
}

// count is how many ports there are; 0 for any.
func (p Ports) count() int {
	if p == (Ports{}) {
		return 0
	}
	return int(p.High) - int(p.Low) + 1
}

// MSSClamp is the segment size that TCP through a tunnel is held to, in bytes.
type MSSClamp int

// What is no size.
const (
	MSSAuto MSSClamp = 0  // what fits the tunnel's MTU
	MSSOff  MSSClamp = -1 // left as it is
)

// defaultMasquerade is what a masquerade has that sets nothing.
func defaultMasquerade() Masquerade {
	return Masquerade{Source: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
}

// defaultDNAT is what a dnat has that sets nothing.
func defaultDNAT() DNAT { return DNAT{Protocol: "any"} }

// masqueradeName tells masquerades apart.
func masqueradeName(m *Masquerade) string {
	if m.Source == defaultMasquerade().Source {
		return m.Out
	}
	return m.Out + " from " + m.Source.String()
}

func snatName(s *SNAT) string { return s.Source.String() + " out " + s.Out }

// dnatName is what packets are told by.
func dnatName(d *DNAT) string {
	var words []string
	if d.In != "" {
		words = append(words, "in "+d.In)
	}
	if d.Destination.IsValid() {
		words = append(words, d.Destination.String())
	}
	return strings.Join(append(words, strings.TrimSpace(d.Protocol+" "+d.Ports.String())), " ")
}
