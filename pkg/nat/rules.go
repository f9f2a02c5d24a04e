package nat

import (
	"fmt"
	"net/netip"
)

// Rules has the rules that the configuration asks for. If several rules of one kind match a packet, the
// first counts; SNAT comes before masquerading.
type Rules struct {
	Masquerades []Masquerade
	SNATs       []SNAT
	DNATs       []DNAT
	Clamps      []Clamp
	Overlays    []Overlay // the tunnels that are guarded
	Foreign     []Segment // other programs' VXLAN, which must not be dropped
}

// Masquerade replaces the source of packets that leave through a device by that device's
// address.
type Masquerade struct {
	Out                string
	Source             netip.Prefix   // 0.0.0.0/0 or ::/0: any
	ExceptDestinations []netip.Prefix // of Source's family, like ExceptSources
	ExceptSources      []netip.Prefix
}

// SNAT replaces the source of packets from a prefix that leave through a device.
type SNAT struct {
	Source netip.Prefix
	Out    string
	To     Endpoint // with the ports to choose from; zero: any
}

// DNAT replaces the destination of packets. At least one of In and Destination is given.
type DNAT struct {
	In          string     // device through which they arrive; "": any
	Destination netip.Addr // to which they are sent; invalid: any
	Protocol    Protocol
	Ports       Ports    // to which they are sent; zero: any
	To          Endpoint // ports: zero means unchanged; a range is as long as Ports
}

// Clamp limits the segment size on which TCP connections through a device agree.
type Clamp struct {
	Device string
	Size   int // bytes; 0: what fits the route's MTU
}

// Endpoint is an address and the ports there; zero stands for all ports.
type Endpoint struct {
	Addr  netip.Addr
	Ports Ports
}

// String returns the endpoint as nft(8) writes it; empty without an address.
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

// exempt are Azure's platform address and its metadata service. They answer only the machine
// that asks, so NAT must neither send anybody there nor anywhere else instead.
var exempt = []netip.Addr{netip.AddrFrom4([4]byte{168, 63, 129, 16}), netip.AddrFrom4([4]byte{169, 254, 169, 254})}

// Names of the chains.
const (
	dnatChain  = "prerouting"
	snatChain  = "postrouting"
	clampChain = "forward"
)

// chains returns the content of the table; none if the rules ask for nothing.
func (r *Rules) chains() []Chain {
	list := r.guards()
	if len(r.DNATs) > 0 {
		list = append(list, Chain{Name: dnatChain, Hook: Prerouting, Rules: r.dnat()})
	}
	if len(r.SNATs)+len(r.Masquerades) > 0 {
		list = append(list, Chain{Name: snatChain, Hook: Postrouting, Rules: r.snat()})
	}
	for i := range r.Masquerades {
		list = append(list, r.Masquerades[i].chain(i))
	}
	if len(r.Clamps) > 0 {
		list = append(list, Chain{Name: clampChain, Hook: Forward, Rules: r.clamp()})
	}
	return list
}

// Reasons of the rules with which chains that translate begin.
const (
	platform = "Azure platform" // about exempt
	toRemote = "VXLAN to a remote"
)

// spare returns the rules with which every chain that translates begins.
func spare() []Rule {
	var list []Rule
	for _, a := range exempt {
		list = append(list, Rule{Why: platform, Destination: netip.PrefixFrom(a, 32), Do: Return})
	}
	return list
}

func (r *Rules) snat() []Rule {
	list := append(spare(), r.spareRemotes()...)
	for _, s := range r.SNATs {
		list = append(list, s.rules()...)
	}
	for i, m := range r.Masquerades {
		list = append(list, Rule{Why: m.why(), Out: m.Out, Source: m.Source, Do: Jump, Chain: masqueradeChain(i)})
	}
	return list
}

func (r *Rules) dnat() []Rule {
	list := spare()
	for _, d := range r.DNATs {
		list = append(list, d.rules()...)
	}
	return list
}

// clamp covers both directions, because the far end of a tunnel may not clamp.
func (r *Rules) clamp() []Rule {
	var list []Rule
	for _, c := range r.Clamps {
		rule := Rule{Why: "mss-clamp " + c.Device, Protocol: TCP, Do: ClampSize, Size: c.Size}
		out, in := rule, rule
		out.Out, in.In = c.Device, c.Device
		list = append(list, out, in)
	}
	return list
}

// masqueradeChain names the chain of the i-th masquerade. Each has its own chain, so that a
// packet that one excepts can still match another.
func masqueradeChain(i int) string { return fmt.Sprintf("masquerade-%d", i+1) }

func (m *Masquerade) why() string { return "masquerade " + m.Out }

func (m *Masquerade) chain(i int) Chain {
	c := Chain{Name: masqueradeChain(i)}
	for _, p := range m.ExceptDestinations {
		c.Rules = append(c.Rules, Rule{Why: m.why() + " except", Destination: p, Do: Return})
	}
	for _, p := range m.ExceptSources {
		c.Rules = append(c.Rules, Rule{Why: m.why() + " except", Source: p, Do: Return})
	}
	c.Rules = append(c.Rules, Rule{Why: m.why(), Do: MasqueradeSource})
	return c
}

// rules applies the ports to TCP and UDP only. Everything else gets a rule with the address
// alone: otherwise the kernel would choose ICMP identifiers from the range of ports.
func (s *SNAT) rules() []Rule {
	rule := Rule{Why: "snat " + s.Source.String(), Source: s.Source, Out: s.Out, Do: SourceTo, To: Endpoint{Addr: s.To.Addr}}
	if s.To.Ports == (Ports{}) {
		return []Rule{rule}
	}
	var list []Rule
	for _, p := range []Protocol{TCP, UDP} {
		r := rule
		r.Protocol, r.To = p, s.To
		list = append(list, r)
	}
	return append(list, rule)
}

// rules returns one rule for each protocol with ports if ports are given, otherwise one rule.
func (d *DNAT) rules() []Rule {
	rule := Rule{Why: "dnat " + d.To.String(), In: d.In, Destination: single(d.Destination), Do: DestinationTo, To: d.To}
	protocols := []Protocol{d.Protocol}
	if d.Protocol == AnyProtocol && (d.Ports != Ports{} || d.To.Ports != Ports{}) {
		protocols = []Protocol{TCP, UDP}
	}
	var list []Rule
	for _, p := range protocols {
		rule.Protocol = p
		list = append(list, d.each(rule)...)
	}
	return list
}

// each maps a range of ports one to one. With a single rule the kernel would choose any port of
// the new range, so each port gets its own rule.
func (d *DNAT) each(rule Rule) []Rule {
	rule.Ports = d.Ports
	switch {
	case d.To.Ports == d.Ports:
		rule.To.Ports = Ports{}
		return []Rule{rule}
	case d.To.Ports.Count() <= 1:
		return []Rule{rule}
	}
	var list []Rule
	for i := range d.Ports.Count() {
		rule.Ports = onePort(d.Ports.Low + uint16(i))
		rule.To.Ports = onePort(d.To.Ports.Low + uint16(i))
		list = append(list, rule)
	}
	return list
}
