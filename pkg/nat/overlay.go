package nat

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Overlay is a tunnel to be guarded: who may send packets into it, and which packets
// may come out of it.
type Overlay struct {
	Device  string
	Under   string // underlay device; "": any
	VNI     uint32
	Port    uint16
	Remotes []netip.Addr // empty: a multicast group, which anybody may join
	Peers   []Peer       // addresses within the tunnel that belong to one remote
	Subnets []netip.Prefix
}

// Peer is an address within a tunnel, and the only remote that may use it.
type Peer struct{ Remote, Address netip.Addr }

// Segment is a VXLAN network on a port.
type Segment struct {
	Port uint16
	VNI  uint32
}

// Why packets are dropped, as operators are told.
const (
	Stranger     = "outer source is no remote"
	UnknownVNI   = "no tunnel has this VNI"
	Nested       = "VXLAN that comes out of the tunnel"
	Forged       = "VXLAN of this tunnel's remote that comes out of a tunnel"
	Fragment     = "IPv6 fragment, which hides what is inside"
	NotIP        = "neither IP nor ARP inside"
	Impostor     = "inner address of another remote"
	HiddenND     = "neighbor discovery behind an IPv6 extension header"
	OwnAddress   = "inner source is this NVA's address"
	PlatformAddr = "inner source is Azure's platform address"
	LinkLocal    = "inner source is a foreign link-local address"
	Outside      = "tunnel's address from outside the tunnel"
)

// Names of the chains that guard. Each tunnel has two of its own, numbered.
const (
	outerChain = "underlay" // sees VXLAN packets before they are unpacked
	innerChain = "overlay"  // sees everything that arrives, also what was unpacked

	forgedChain = "overlay-forged" // sees UDP that was unpacked
)

// linkLocal4 is what no router forwards (RFC 3927 section 2.6.2).
var linkLocal4 = netip.MustParsePrefix("169.254.0.0/16")

// guards are the chains that keep strangers out of the tunnels.
func (r *Rules) guards() []Chain {
	if len(r.Overlays) == 0 {
		return nil
	}
	outer := Chain{Name: outerChain, Hook: RawInput, Rules: r.nested()}
	inner := Chain{Name: innerChain, Hook: RawPrerouting, Rules: []Rule{
		{Why: "from this machine", In: "lo", Do: Accept, Guard: Guard{Tunnel: r.Overlays[0].Device}},
	}}
	var each []Chain
	forged := Chain{Name: forgedChain, Rules: r.forged()}
	if len(forged.Rules) > 0 {
		each = append(each, forged)
	}
	for i := range r.Overlays {
		o := &r.Overlays[i]
		out, in := fmt.Sprintf("%s-%d", outerChain, i+1), fmt.Sprintf("%s-%d", innerChain, i+1)
		jump := o.rule("tunnel "+o.Device, Jump)
		enter, leave := jump, jump
		enter.Protocol, enter.Ports, enter.VNI, enter.Chain = UDP, onePort(o.Port), o.VNI, out
		leave.In, leave.Chain = o.Device, in
		outer.Rules, inner.Rules = append(outer.Rules, enter), append(inner.Rules, leave)
		unpacked := o.inner()
		if len(forged.Rules) > 0 && !r.carries(o) {
			rule := o.rule("UDP", Jump)
			rule.Protocol, rule.Chain = UDP, forgedChain
			unpacked = append([]Rule{rule}, unpacked...)
		}
		each = append(each, Chain{Name: out, Rules: o.outer()}, Chain{Name: in, Rules: unpacked})
	}
	outer.Rules = append(outer.Rules, r.otherSegments()...)
	inner.Rules = append(inner.Rules, r.outside()...)
	return append([]Chain{outer, inner}, each...)
}

// rule is one that guards the tunnel.
func (o *Overlay) rule(why string, do Action) Rule {
	return Rule{Why: why, Do: do, Guard: Guard{Tunnel: o.Device}}
}

// nested drops VXLAN packets that come out of a tunnel: a host behind a remote may
// write that remote's address as outer source, and no platform checks that there.
func (r *Rules) nested() (list []Rule) {
	for i := range r.Overlays {
		o := &r.Overlays[i]
		for _, port := range r.ports() {
			over := func(v Overlay) bool { return v.Port == port && v.Under == o.Device }
			if slices.ContainsFunc(r.Overlays, over) {
				continue
			}
			rule := o.rule(Nested, Drop)
			rule.In, rule.Protocol, rule.Ports = o.Device, UDP, onePort(port)
			list = append(list, rule)
		}
	}
	return list
}

// forged drops VXLAN that comes out of a tunnel with a remote as its source, also
// where it is for another NVA, of which that is a remote as well: forwarded from
// here it would pass Azure's check of sources, which forwarding lifts.
func (r *Rules) forged() (list []Rule) {
	for i := range r.Overlays {
		o := &r.Overlays[i]
		for _, remote := range o.Remotes {
			rule := o.rule(Forged, Drop)
			rule.Source, rule.Protocol, rule.Ports = single(remote), UDP, onePort(o.Port)
			list = append(list, rule)
		}
	}
	return list
}

// carries reports whether another tunnel runs through o.
func (r *Rules) carries(o *Overlay) bool {
	return slices.ContainsFunc(r.Overlays, func(v Overlay) bool { return v.Under == o.Device })
}

// spareRemotes keeps packets to the tunnels' remotes from being translated. With
// this NVA's address as source they would pass the remote's guards, whoever sent
// them to be forwarded.
func (r *Rules) spareRemotes() (list []Rule) {
	for _, o := range r.Overlays {
		for _, remote := range o.Remotes {
			list = append(list, Rule{Why: toRemote, Destination: single(remote), Protocol: UDP, Ports: onePort(o.Port), Do: Return})
		}
	}
	return list
}

// ports are those of the tunnels, each once.
func (r *Rules) ports() (list []uint16) {
	for _, o := range r.Overlays {
		if !slices.Contains(list, o.Port) {
			list = append(list, o.Port)
		}
	}
	return list
}

// otherSegments lets other programs' VXLAN through and drops the rest, which the
// first tunnel of the port is charged with.
func (r *Rules) otherSegments() (list []Rule) {
	foreign := slices.SortedFunc(slices.Values(r.Foreign), func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.VNI, b.VNI))
	})
	for _, s := range foreign {
		if slices.Contains(r.ports(), s.Port) {
			list = append(list, Rule{
				Why: "another program's VXLAN", Protocol: UDP, Ports: onePort(s.Port), Do: Accept,
				Guard: Guard{Tunnel: r.Overlays[0].Device, VNI: s.VNI},
			})
		}
	}
	for _, port := range r.ports() {
		i := slices.IndexFunc(r.Overlays, func(o Overlay) bool { return o.Port == port })
		rule := r.Overlays[i].rule(UnknownVNI, Drop)
		rule.Protocol, rule.Ports = UDP, onePort(port)
		list = append(list, rule)
	}
	return list
}

// Offsets within a VXLAN packet, from its UDP header on (RFC 7348 section 5), and
// what stands there.
const (
	etherType  = 8 + 8 + 12
	network    = etherType + 2
	arpSender  = network + 14
	source4    = network + 12
	source6    = network + 8
	next6      = network + 6
	hopLimit6  = network + 7
	icmpType6  = network + 40
	ndTarget   = icmpType6 + 8
	protoICMP6 = "\x3a"
	typeAdvert = "\x88" // RFC 4861 section 4.4
	ndHopLimit = "\xff" // RFC 4861 section 7.1
	ethIP4     = "\x08\x00"
	ethIP6     = "\x86\xdd"
	ethARP     = "\x08\x06"
)

// extensions are the headers behind which a host looks for neighbor discovery.
var extensions = []string{"\x00", "\x2b", "\x2c", "\x3c"}

// outer decides about packets of the tunnel before they are unpacked. What is
// inside cannot be told from its sender any more afterwards.
func (o *Overlay) outer() []Rule {
	notIP := o.rule(NotIP, Drop)
	for _, t := range []string{ethIP4, ethIP6, ethARP} {
		notIP.Inner = append(notIP.Inner, Octets{At: etherType, Data: t, Not: true})
	}
	if len(o.Remotes) == 0 {
		return []Rule{notIP, o.rule("multicast group", Accept)}
	}
	list := o.fragments()
	list = append(list, o.impostors()...)
	list = append(list, notIP)
	for _, remote := range o.Remotes {
		rule := o.rule("remote "+remote.String(), Accept)
		rule.Source = single(remote)
		list = append(list, rule)
	}
	return append(list, o.rule(Stranger, Drop))
}

// fragments drops the first fragment of packets whose inner addresses are looked
// at. The kernel puts IPv6 together behind the hook, unless it tracks connections;
// IPv4 before it.
func (o *Overlay) fragments() []Rule {
	if len(o.Peers) == 0 || !slices.ContainsFunc(o.Remotes, netip.Addr.Is6) {
		return nil
	}
	rule := o.rule(Fragment, Drop)
	rule.Guard.Fragment = true
	return []Rule{rule}
}

// impostors drops what claims a peer's address, in an IP header, in ARP or in
// neighbor discovery, and comes from another than its remote.
func (o *Overlay) impostors() (list []Rule) {
	add := func(p Peer, inner ...Octets) {
		rule := o.rule(Impostor, Drop)
		rule.Source, rule.OtherSource, rule.Inner = single(p.Remote), true, inner
		list = append(list, rule)
	}
	six := false
	for _, p := range o.Peers {
		addr := string(p.Address.AsSlice())
		if p.Address.Is4() {
			add(p, Octets{At: etherType, Data: ethIP4}, Octets{At: source4, Data: addr})
			add(p, Octets{At: etherType, Data: ethARP}, Octets{At: arpSender, Data: addr})
			continue
		}
		six = true
		add(p, Octets{At: etherType, Data: ethIP6}, Octets{At: source6, Data: addr})
		add(p, Octets{At: etherType, Data: ethIP6}, Octets{At: next6, Data: protoICMP6},
			Octets{At: icmpType6, Data: typeAdvert}, Octets{At: ndTarget, Data: addr})
	}
	if !six {
		return list
	}
	for _, header := range extensions {
		rule := o.rule(HiddenND, Drop)
		rule.Inner = []Octets{{At: etherType, Data: ethIP6}, {At: next6, Data: header}, {At: hopLimit6, Data: ndHopLimit}}
		list = append(list, rule)
	}
	return list
}

// inner decides about the source of packets that came out of the tunnel.
func (o *Overlay) inner() []Rule {
	var list []Rule
	for _, a := range exempt {
		rule := o.rule(PlatformAddr, Drop)
		rule.Source = single(a)
		list = append(list, rule)
	}
	own := o.rule(OwnAddress, Drop)
	own.OwnSource = true
	list = append(list, own)
	for _, p := range o.Subnets {
		rule := o.rule("subnet of the tunnel", Accept)
		rule.Source = p.Masked()
		list = append(list, rule)
	}
	rule := o.rule(LinkLocal, Drop)
	rule.Source = linkLocal4
	return append(list, rule)
}

// outside drops what has a source within a tunnel's subnet and did not come out of
// that tunnel, so that a neighbor's packets are taken over its tunnel alone. Every
// link has IPv6's link-local addresses.
func (r *Rules) outside() []Rule {
	var list []Rule
	for _, a := range exempt {
		list = append(list, Rule{Why: "Azure's platform address", Source: single(a), Do: Accept, Guard: Guard{Tunnel: r.Overlays[0].Device}})
	}
	for i := range r.Overlays {
		o := &r.Overlays[i]
		for _, p := range o.Subnets {
			if p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
				continue
			}
			rule := o.rule(Outside, Drop)
			rule.Source = p.Masked()
			list = append(list, rule)
		}
	}
	return list
}

// DropCount is how many packets one of a tunnel's guards has dropped.
type DropCount struct {
	Reason string
	Hits
}

// Dropped sums up by reason what the guards of a tunnel dropped since the table was
// written, without those that dropped nothing. Guarded is false if rules are
// missing in the kernel or if there are none.
func Dropped(list []Status, tunnel string) (out []DropCount, guarded bool) {
	missing := false
	for _, s := range list {
		if s.Rule.Tunnel != tunnel {
			continue
		}
		guarded, missing = true, missing || s.Missing
		if s.Rule.Do != Drop || s.Packets == 0 {
			continue
		}
		i := slices.IndexFunc(out, func(d DropCount) bool { return d.Reason == s.Rule.Why })
		if i < 0 {
			i, out = len(out), append(out, DropCount{Reason: s.Rule.Why})
		}
		out[i].Packets += s.Packets
		out[i].Bytes += s.Bytes
	}
	return out, guarded && !missing
}
