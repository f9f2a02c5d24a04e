package nat

import "net/netip"

// Rules is what the configuration asks for. Where several concern a packet the
// first one counts; a SNAT goes before a Masquerade.
type Rules struct {
	Masquerades []Masquerade
	SNATs       []SNAT
	DNATs       []DNAT
	Clamps      []Clamp
	Overlays    []Overlay // the tunnels that are guarded
	Foreign     []Segment // other programs' VXLAN, which is let through
}

// Masquerade gives packets that leave through a device that device's address as
// their source.
type Masquerade struct {
	Out                string
	Source             netip.Prefix   // 0.0.0.0/0 or ::/0: any
	ExceptDestinations []netip.Prefix // of the family of Source, as the next
	ExceptSources      []netip.Prefix
}

// SNAT gives packets from a prefix that leave through a device another source.
type SNAT struct {
	Source netip.Prefix
	Out    string
	To     Endpoint // its ports are those to choose from; zero: any
}

// DNAT sends packets elsewhere. Of In and Destination at least one is given.
type DNAT struct {
	In          string     // device that they come in by; "": any
	Destination netip.Addr // that they are sent to; invalid: any
	Protocol    Protocol
	Ports       Ports    // that they are sent to; zero: any
	To          Endpoint // ports zero: unchanged; one: that; a range: as long as Ports
}

// Clamp limits the segment size that TCP connections through a device agree on.
type Clamp struct {
	Device string
	Size   int // bytes; 0: what fits the route's MTU
}

// Endpoint is an address and the ports there.
type Endpoint struct {
	Addr  netip.Addr
	Ports Ports
}

// String is the endpoint as nft(8) writes it.
func (e Endpoint) String() string {
	switch {
	case e.Ports == Ports{}:
		return e.Addr.String()
	case e.Addr.Is6():
		return "[" + e.Addr.String() + "]:" + e.Ports.String()
	}
	return e.Addr.String() + ":" + e.Ports.String()
}

// exempt are Azure's platform address and its metadata service. They answer the
// machine that asks, and nobody is to be sent to or kept from them by NAT.
var exempt = []netip.Addr{netip.AddrFrom4([4]byte{168, 63, 129, 16}), netip.AddrFrom4([4]byte{169, 254, 169, 254})}

// Names of the chains.
const (
	dnatChain  = "prerouting"
	snatChain  = "postrouting"
	clampChain = "forward"
)

// chains is the table that does what the rules ask for; none if nothing does.
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

// Reasons of the rules that chains which translate begin with.
const (
	platform = "Azure platform" // about exempt
	toRemote = "VXLAN to a remote"
)

// spare is what every chain that translates begins with.
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

// clamp looks at both directions: the far end of a tunnel may not clamp what it
// sends.
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
