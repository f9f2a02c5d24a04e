package nat

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Overlay is a tunnel to guard: who may send packets into it, and which packets may come out of
// it.
type Overlay struct {
	Device  string
	Under   string // underlay device; "": any
	VNI     uint32
	Port    uint16
	Remotes []netip.Addr // empty: a multicast group, which anybody may join
	Peers   []Peer       // addresses within the tunnel that only one remote may use
	Subnets []netip.Prefix

	// WireGuard authenticates what comes out of it, so only Device, Under, Port and Subnets
	// count, and Pinned: the only address from which its peer may call. Port 0 is any.
	WireGuard bool
	Pinned    netip.Addr // invalid: the peer may roam
}

// Peer is an address within a tunnel and the only remote that may use it.
type Peer struct{ Remote, Address netip.Addr }

// Segment is a VXLAN network on a port.
type Segment struct {
	Port uint16
	VNI  uint32
}

// Reasons for dropping packets, shown to operators.
const (
	Stranger     = "outer source is no remote"
	UnknownVNI   = "no tunnel has this VNI"
	Nested       = "VXLAN that comes out of the tunnel"
	NestedWG     = "WireGuard that comes out of the tunnel"
	Roamed       = "outer source is not the peer's endpoint"
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

// Names of the chains that guard tunnels. Each tunnel has two more, which are numbered.
const (
	outerChain = "underlay" // sees VXLAN packets before they are unpacked
	innerChain = "overlay"  // sees everything that arrives, unpacked packets too

	forgedChain = "overlay-forged" // sees unpacked UDP
)

// linkLocal4 must not be forwarded by routers (RFC 3927 section 2.6.2).
var linkLocal4 = netip.MustParsePrefix("169.254.0.0/16")

// guards returns the chains that keep strangers out of the tunnels.
func (r *Rules) guards() []Chain {
	if len(r.Overlays) == 0 {
		return nil
	}
	outer := Chain{Name: outerChain, Hook: RawInput, Rules: r.nested()}
	inner := Chain{Name: innerChain, Hook: RawPrerouting, Rules: []Rule{
		r.Overlays[0].guard(Rule{Why: "from this machine", In: "lo", Do: Accept}),
	}}
	var each []Chain
	forged := Chain{Name: forgedChain, Rules: r.forged()}
	if len(forged.Rules) > 0 {
		each = append(each, forged)
	}
	for i := range r.Overlays {
		o := &r.Overlays[i]
		out, in := fmt.Sprintf("%s-%d", outerChain, i+1), fmt.Sprintf("%s-%d", innerChain, i+1)
		why := "tunnel " + o.Device
		if outside := o.outer(); len(outside) > 0 {
			outer.Rules = append(outer.Rules, o.guard(Rule{Why: why, Protocol: UDP, Ports: onePort(o.Port), Do: Jump, Chain: out, Guard: Guard{VNI: o.VNI}}))
			each = append(each, Chain{Name: out, Rules: outside})
		}
		inner.Rules = append(inner.Rules, o.guard(Rule{Why: why, In: o.Device, Do: Jump, Chain: in}))
		var unpacked []Rule
		if len(forged.Rules) > 0 && !r.carries(o) {
			unpacked = append(unpacked, o.guard(Rule{Why: "UDP", Protocol: UDP, Do: Jump, Chain: forgedChain}))
		}
		unpacked = append(unpacked, o.inner()...)
		each = append(each, Chain{Name: in, Rules: unpacked})
	}
	outer.Rules = append(outer.Rules, r.otherSegments()...)
	inner.Rules = append(inner.Rules, r.outside()...)
	return append([]Chain{outer, inner}, each...)
}

// guard returns r as a rule that guards the tunnel.
func (o *Overlay) guard(r Rule) Rule {
	r.Tunnel = o.Device
	return r
}

// nested drops packets of tunnels for this machine that come out of a tunnel. A host behind a
// remote could write the remote's address as outer source, and there Azure does not check it.
// WireGuard's packets are authentic, but a peer that calls through a tunnel would draw its own
// tunnel into that one.
func (r *Rules) nested() (list []Rule) {
	for i := range r.Overlays {
		o := &r.Overlays[i]
		add := func(why string, ports Ports) {
			list = append(list, o.guard(Rule{Why: why, In: o.Device, Protocol: UDP, Ports: ports, Do: Drop}))
		}
		for _, port := range r.ports() {
			if !r.within(o, port) {
				add(Nested, onePort(port))
			}
		}
		for _, run := range r.encrypted(o) {
			add(NestedWG, run)
		}
	}
	return list
}

// within reports whether a tunnel with that port runs inside o.
func (r *Rules) within(o *Overlay, port uint16) bool {
	return slices.ContainsFunc(r.Overlays, func(v Overlay) bool { return v.Port == port && v.Under == o.Device })
}

// encrypted returns the ports of WireGuard tunnels that do not run inside o. Ports in a row are one
// range: every packet passes the rules of every tunnel.
func (r *Rules) encrypted(o *Overlay) (runs []Ports) {
	var ports []uint16
	for _, w := range r.Overlays {
		if w.WireGuard && w.Port != 0 && !r.within(o, w.Port) {
			ports = append(ports, w.Port)
		}
	}
	slices.Sort(ports)
	for _, n := range slices.Compact(ports) {
		if last := len(runs) - 1; last >= 0 && runs[last].High == n-1 {
			runs[last].High = n
		} else {
			runs = append(runs, onePort(n))
		}
	}
	return runs
}

// forged drops VXLAN packets that come out of a tunnel with a remote's address as source, even
// if they are for another NVA with the same remote. Forwarded from here they would arrive
// there: Azure does not check the sources of an NVA, because IP forwarding is enabled.
func (r *Rules) forged() (list []Rule) {
	for i := range r.Overlays {
		o := &r.Overlays[i]
		for _, remote := range o.Remotes {
			list = append(list, o.guard(Rule{Why: Forged, Source: single(remote), Protocol: UDP, Ports: onePort(o.Port), Do: Drop}))
		}
	}
	return list
}

// carries reports whether another tunnel runs inside o.
func (r *Rules) carries(o *Overlay) bool {
	return slices.ContainsFunc(r.Overlays, func(v Overlay) bool { return v.Under == o.Device })
}

// spareRemotes exempts VXLAN packets to the tunnels' remotes from translation. If this NVA
// forwarded somebody's packets with its own address as source, they would pass the remote's
// guards.
func (r *Rules) spareRemotes() (list []Rule) {
	for _, o := range r.Overlays {
		for _, remote := range o.Remotes {
			list = append(list, Rule{Why: toRemote, Destination: single(remote), Protocol: UDP, Ports: onePort(o.Port), Do: Return})
		}
	}
	return list
}

// ports returns the ports of VXLAN tunnels, each once.
func (r *Rules) ports() (list []uint16) {
	for _, o := range r.Overlays {
		if !o.WireGuard && !slices.Contains(list, o.Port) {
			list = append(list, o.Port)
		}
	}
	return list
}

// otherSegments accepts other programs' VXLAN and drops the rest. What it drops counts for the
// first tunnel with that port.
func (r *Rules) otherSegments() (list []Rule) {
	foreign := slices.SortedFunc(slices.Values(r.Foreign), func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.VNI, b.VNI))
	})
	for _, s := range foreign {
		if slices.Contains(r.ports(), s.Port) {
			list = append(list, r.Overlays[0].guard(Rule{
				Why: "another program's VXLAN", Protocol: UDP, Ports: onePort(s.Port), Do: Accept, Guard: Guard{VNI: s.VNI},
			}))
		}
	}
	for _, port := range r.ports() {
		i := slices.IndexFunc(r.Overlays, func(o Overlay) bool { return !o.WireGuard && o.Port == port })
		list = append(list, r.Overlays[i].guard(Rule{Why: UnknownVNI, Protocol: UDP, Ports: onePort(port), Do: Drop}))
	}
	return list
}

// Offsets in a VXLAN packet, counted from its UDP header (RFC 7348 section 5), and values
// there.
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

// extensions are the IPv6 headers that a host skips to find neighbor discovery.
var extensions = []string{"\x00", "\x2b", "\x2c", "\x3c"}

// outer returns the rules for packets of the tunnel before they are unpacked. Afterwards nobody
// can tell which remote sent them.
func (o *Overlay) outer() []Rule {
	if o.WireGuard {
		return o.pinned()
	}
	notIP := o.guard(Rule{Why: NotIP, Do: Drop})
	for _, t := range []string{ethIP4, ethIP6, ethARP} {
		notIP.Inner = append(notIP.Inner, Octets{At: etherType, Data: t, Not: true})
	}
	if len(o.Remotes) == 0 {
		return []Rule{notIP, o.guard(Rule{Why: "multicast group", Do: Accept})}
	}
	list := append(o.fragments(), o.impostors()...)
	list = append(list, notIP)
	for _, remote := range o.Remotes {
		list = append(list, o.guard(Rule{Why: "remote " + remote.String(), Source: single(remote), Do: Accept}))
	}
	return append(list, o.guard(Rule{Why: Stranger, Do: Drop}))
}

// pinned returns the rules that keep the peer of WireGuard at its endpoint.
func (o *Overlay) pinned() []Rule {
	if !o.Pinned.IsValid() || o.Port == 0 {
		return nil
	}
	return []Rule{
		o.guard(Rule{Why: "endpoint " + o.Pinned.String(), Source: single(o.Pinned), Do: Accept}),
		o.guard(Rule{Why: Roamed, Do: Drop}),
	}
}

// fragments drops IPv6 fragments where inner addresses matter, because a fragment may hide
// them. The kernel reassembles IPv6 only after this hook, unless it tracks connections, and
// IPv4 before it.
func (o *Overlay) fragments() []Rule {
	if len(o.Peers) == 0 || !slices.ContainsFunc(o.Remotes, netip.Addr.Is6) {
		return nil
	}
	return []Rule{o.guard(Rule{Why: Fragment, Do: Drop, Guard: Guard{Fragment: true}})}
}

// impostors drops packets that use a peer's address, in an IP header, in ARP or in neighbor
// discovery, and come from another remote than the peer's.
func (o *Overlay) impostors() (list []Rule) {
	add := func(p Peer, inner ...Octets) {
		list = append(list, o.guard(Rule{Why: Impostor, Source: single(p.Remote), Do: Drop, Guard: Guard{OtherSource: true, Inner: inner}}))
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
		inner := []Octets{{At: etherType, Data: ethIP6}, {At: next6, Data: header}, {At: hopLimit6, Data: ndHopLimit}}
		list = append(list, o.guard(Rule{Why: HiddenND, Do: Drop, Guard: Guard{Inner: inner}}))
	}
	return list
}

// inner returns the rules for the source of packets that came out of the tunnel.
func (o *Overlay) inner() []Rule {
	var list []Rule
	for _, a := range exempt {
		list = append(list, o.guard(Rule{Why: PlatformAddr, Source: single(a), Do: Drop}))
	}
	list = append(list, o.guard(Rule{Why: OwnAddress, Do: Drop, Guard: Guard{OwnSource: true}}))
	for _, p := range o.Subnets {
		list = append(list, o.guard(Rule{Why: "subnet of the tunnel", Source: p.Masked(), Do: Accept}))
	}
	return append(list, o.guard(Rule{Why: LinkLocal, Source: linkLocal4, Do: Drop}))
}

// outside drops what has a source within a tunnel's subnet and did not come out of
// that tunnel, so that a neighbor's packets are taken over its tunnel alone. Every
// link has IPv6's link-local addresses.
func (r *Rules) outside() []Rule {
	var list []Rule
	for _, a := range exempt {
		list = append(list, r.Overlays[0].guard(Rule{Why: "Azure's platform address", Source: single(a), Do: Accept}))
	}
	for i := range r.Overlays {
		o := &r.Overlays[i]
		for _, p := range o.Subnets {
			if a := p.Addr(); a.Is4() || !a.IsLinkLocalUnicast() {
				list = append(list, o.guard(Rule{Why: Outside, Source: p.Masked(), Do: Drop}))
			}
		}
	}
	return list
}

// DropCount is the number of packets that a tunnel's guards dropped for one reason.
type DropCount struct {
	Reason string
	Hits
}

// Dropped counts, by reason, what the guards of a tunnel dropped since the table was written. It
// leaves out reasons without packets. guarded is false if there are no guards, or if the
// kernel lacks one.
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
