package site

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// link is a tunnel between two NVAs, as both have it.
type link struct {
	a, b *end
	// broken says that a finding explains why no packet passes.
	broken bool
}

// other returns the far end of e.
func (l *link) other(e *end) *end {
	if l.a == e {
		return l.b
	}
	return l.a
}

// wireguard reports whether it is an end of a WireGuard tunnel.
func (e *end) wireguard() bool { return e.t.GetWireguard() != nil }

// leadsTo reports whether the end sends packets to n, or expects n by its key.
func (e *end) leadsTo(n *nva) bool {
	if slices.ContainsFunc(e.remotes, func(r netip.Addr) bool { return n.underlay[r] }) {
		return true
	}
	peer, group := e.t.GetWireguard().GetPeerPublicKey(), e.group()
	return peer != "" && n.keys[peer] || group != "" && n.groups[group]
}

// tunnels compares the two ends of every tunnel between NVAs of the site.
func (d *differ) tunnels() {
	for i, a := range d.nvas {
		for _, b := range d.nvas[i+1:] {
			as, bs := leading(a, b), leading(b, a)
			as, bs = d.match(as, bs, keysFit)
			as, bs = d.match(as, bs, func(x, y *end) bool { return !x.wireguard() && x.t.GetVni() == y.t.GetVni() })
			as, bs = d.match(as, bs, func(x, y *end) bool { return x.t.GetName() == y.t.GetName() })
			as, bs = d.match(as, bs, func(*end, *end) bool { return true })
			d.oneSided(as, b)
			d.oneSided(bs, a)
		}
	}
	for _, l := range d.links {
		d.compareEnds(l)
	}
	for _, n := range d.nvas {
		for _, e := range n.ends {
			d.duplicates(e)
			for _, l := range e.links {
				for _, p := range l.other(e).inner {
					n.reach[p.Addr()] = way{e, l}
				}
			}
		}
	}
}

func leading(from, to *nva) []*end {
	return slices.DeleteFunc(slices.Clone(from.ends), func(e *end) bool { return !e.leadsTo(to) })
}

// match makes links of ends of the same kind that fit, and returns the ends that are left.
func (d *differ) match(as, bs []*end, fit func(a, b *end) bool) (restA, restB []*end) {
	restB = bs
	for _, a := range as {
		i := slices.IndexFunc(restB, func(b *end) bool { return a.wireguard() == b.wireguard() && fit(a, b) })
		if i < 0 {
			restA = append(restA, a)
			continue
		}
		l := &link{a: a, b: restB[i]}
		a.links, l.b.links = append(a.links, l), append(l.b.links, l)
		d.links = append(d.links, l)
		restB = slices.Delete(slices.Clone(restB), i, i+1)
	}
	return restA, restB
}

// keysFit reports whether one end expects the other's key.
func keysFit(a, b *end) bool {
	x, y := a.t.GetWireguard(), b.t.GetWireguard()
	return x != nil && y != nil && (x.GetPeerPublicKey() == y.GetPublicKey() || y.GetPeerPublicKey() == x.GetPublicKey())
}

// oneSided reports tunnels whose far end has nothing that leads back.
func (d *differ) oneSided(ends []*end, far *nva) {
	for _, e := range ends {
		has := "has no tunnel that leads back"
		mend := fmt.Sprintf("On %s, add a [[tunnel]] to %s, or remove %s from tunnel %s of %s.", far.Name, e.nva.Name, far.Name, e.t.GetName(), e.nva.Name)
		same := slices.IndexFunc(far.ends, func(f *end) bool { return e.wireguard() == f.wireguard() && e.t.GetVni() == f.t.GetVni() })
		if same >= 0 && !e.wireguard() {
			name := far.ends[same].t.GetName()
			has = fmt.Sprintf("has VNI %d, too, in tunnel %s, but not %s among its remotes", e.t.GetVni(), name, cmp.Or(e.t.GetLocal(), e.nva.Name))
			mend = fmt.Sprintf("On %s, add %s to the remotes of tunnel %s.", far.Name, cmp.Or(e.t.GetLocal(), "the address of "+e.nva.Name), name)
		}
		d.find(TunnelOneSided, Error, "tunnel "+e.t.GetName(), []*nva{e.nva, far},
			fmt.Sprintf("Tunnel %s of %s leads to %s, which %s, so that it drops the packets.", e.t.GetName(), e.nva.Name, far.Name, has), mend)
	}
}

// compareEnds compares what both ends of a tunnel must agree on.
func (d *differ) compareEnds(l *link) {
	a, b := l.a, l.b
	object, both := "tunnel "+a.t.GetName(), []*nva{a.nva, b.nva}
	if x, y := a.t.GetVni(), b.t.GetVni(); x != y {
		l.broken = true
		d.find(TunnelVNIDiffers, Error, object, both,
			fmt.Sprintf("Tunnel %s has VNI %d, tunnel %s has VNI %d: each drops the other's packets.", a.title(), x, b.title(), y), "Give both ends the same vni, and run nvactl reload there.")
	}
	d.ports(l, object, both)
	d.keys(l, a, b)
	d.keys(l, b, a)
	if x, y := a.t.GetMtu(), b.t.GetMtu(); x != y && x > 0 && y > 0 {
		d.find(TunnelMTUDiffers, Warning, object, both,
			fmt.Sprintf("Tunnel %s has MTU %d, tunnel %s has MTU %d: packets that fit one direction may be too large for the other.", a.title(), x, b.title(), y),
			"Set mtu on both ends to the smaller one, or mend the MTU of the interface below.")
	}
	d.subnets(l, object, both)
	if up, far := a.up(b), b.up(a); up != far && !l.broken {
		if far {
			a, b = b, a
		}
		l.broken = true
		d.find(TunnelUpOneEnd, Error, "tunnel "+b.t.GetName(), []*nva{a.nva, b.nva},
			fmt.Sprintf("Tunnel %s is up, tunnel %s is not%s.", a.title(), b.title(), because(b.why(a))),
			fmt.Sprintf("Look at nvactl tunnels %s on %s. If packets of %s do not arrive there, a firewall or security group drops UDP port %d.", b.t.GetName(), b.nva.Name, a.nva.Name, b.t.GetPort()))
	}
}

// title names an end: "vxlan0 of hub00-a".
func (e *end) title() string { return fmt.Sprintf("%s of %s", e.t.GetName(), e.nva.Name) }

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// ports compares the UDP ports. WireGuard's ends may differ, as long as each knows the
// other's; a port that NAT chose is not known here.
func (d *differ) ports(l *link, object string, both []*nva) {
	a, b := l.a, l.b
	if !a.wireguard() {
		if x, y := a.t.GetPort(), b.t.GetPort(); x != y {
			l.broken = true
			d.find(TunnelPortDiffers, Error, object, both, fmt.Sprintf("Tunnel %s uses UDP port %d, tunnel %s uses %d: each sends where the other does not listen.", a.title(), x, b.title(), y),
				"Give both ends the same port, and run nvactl reload there.")
		}
		return
	}
	for _, e := range []*end{a, b} {
		far := l.other(e)
		at, err := netip.ParseAddrPort(e.t.GetWireguard().GetEndpoint())
		if err == nil && far.nva.underlay[at.Addr()] && uint32(at.Port()) != far.t.GetPort() && far.t.GetPort() > 0 {
			l.broken = true
			d.find(TunnelPortDiffers, Error, "tunnel "+e.t.GetName(), []*nva{e.nva, far.nva},
				fmt.Sprintf("Tunnel %s sends to UDP port %d, and tunnel %s listens on %d.", e.title(), at.Port(), far.title(), far.t.GetPort()),
				fmt.Sprintf("Set endpoint of tunnel %s on %s to port %d, or listen-port on %s to %d.", e.t.GetName(), e.nva.Name, far.t.GetPort(), far.nva.Name, at.Port()))
		}
	}
}

// keys reports an end of WireGuard that expects another key than the far end has.
func (d *differ) keys(l *link, e, far *end) {
	w, f := e.t.GetWireguard(), far.t.GetWireguard()
	if w == nil || w.GetPeerPublicKey() == f.GetPublicKey() && w.GetPresharedKey() == f.GetPresharedKey() || f.GetPublicKey() == "" {
		return
	}
	if w.GetPeerPublicKey() == f.GetPublicKey() {
		if w.GetPresharedKey() {
			l.broken = true
			d.find(TunnelKeyDiffers, Error, "tunnel "+e.t.GetName(), []*nva{e.nva, far.nva},
				fmt.Sprintf("Tunnel %s has a preshared key, and tunnel %s has none: they refuse each other.", e.title(), far.title()), "Give both ends the same preshared key, or none.")
		}
		return
	}
	l.broken = true
	d.find(TunnelKeyDiffers, Error, "tunnel "+e.t.GetName(), []*nva{e.nva, far.nva},
		fmt.Sprintf("Tunnel %s expects public key %s, and tunnel %s has %s: it refuses every packet.", e.title(), w.GetPeerPublicKey(), far.title(), f.GetPublicKey()),
		fmt.Sprintf("On %s, set public-key of tunnel %s to %s, and run nvactl reload. Check first that nobody else replaced the key.", e.nva.Name, e.t.GetName(), f.GetPublicKey()))
}

// subnets reports ends that have no subnet in common.
func (d *differ) subnets(l *link, object string, both []*nva) {
	if len(l.a.inner) == 0 || len(l.b.inner) == 0 {
		return
	}
	for _, x := range l.a.inner {
		for _, y := range l.b.inner {
			if x.Contains(y.Addr()) && y.Contains(x.Addr()) {
				return
			}
		}
	}
	d.find(TunnelAddressesDiffer, Error, object, both,
		fmt.Sprintf("Tunnel %s has %s, tunnel %s has %s: neither is in the other's subnet, so that no session can use them.", l.a.title(), l.a.inner[0], l.b.title(), l.b.inner[0]),
		"Give both ends addresses of one subnet.")
}

// duplicates reports an address that two NVAs have in tunnels that e reaches.
func (d *differ) duplicates(e *end) {
	owners := map[netip.Addr]*end{}
	for _, p := range e.inner {
		owners[p.Addr()] = e
	}
	for _, l := range e.links {
		far := l.other(e)
		for _, p := range far.inner {
			first := owners[p.Addr()]
			if first == nil {
				owners[p.Addr()] = far
				continue
			}
			both := []*nva{first.nva, far.nva}
			if !slices.ContainsFunc(d.findings, func(f Finding) bool {
				return f.Code == DuplicateTunnelAddress && slices.Contains(f.NVAs, first.nva.Name) && slices.Contains(f.NVAs, far.nva.Name)
			}) {
				d.find(DuplicateTunnelAddress, Error, "address "+p.Addr().String(), both,
					fmt.Sprintf("Tunnel %s and tunnel %s both have address %s, so that packets to it reach one of them only.", first.title(), far.title(), p.Addr()),
					fmt.Sprintf("Give one of them another address of %s.", p.Masked()))
			}
		}
	}
}

// up reports whether the end is up and nothing behind it at far is known to be dead.
func (e *end) up(far *end) bool {
	return e.t.GetState() == "up" && e.dead(far) == ""
}

// dead returns what does not answer at far.
func (e *end) dead(far *end) string {
	for _, p := range e.t.GetPeers() {
		if remote := address(p.GetRemote()); !p.GetUp() && (far.nva.underlay[remote] || far.has(address(p.GetNeighbor()))) {
			return fmt.Sprintf("%s does not answer %s", p.GetNeighbor(), p.GetBy())
		}
	}
	return ""
}

// has reports whether the end has an address inside the tunnel.
func (e *end) has(a netip.Addr) bool {
	return slices.ContainsFunc(e.inner, func(p netip.Prefix) bool { return p.Addr() == a })
}

// why says why the end is not up towards far.
func (e *end) why(far *end) string {
	return cmp.Or(e.t.GetReason(), e.dead(far), e.t.GetState())
}
