package site

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// peering is a session between two NVAs as one of them has it.
type peering struct {
	nva, far *nva
	n        *nvadv1.Neighbor
	own      []netip.Addr // the addresses from which nva may call
	broken   bool         // the tunnel that carries it does not work
}

// sessions compares both sides of every session between NVAs of the site.
func (d *differ) sessions() {
	seen := map[*nvadv1.Neighbor]bool{}
	for _, a := range d.nvas {
		for _, n := range a.Neighbors {
			p, known := d.peering(a, n)
			if !known || seen[n] {
				continue
			}
			seen[n] = true
			back := p.back()
			if back == nil {
				d.sessionOneSided(p)
				continue
			}
			seen[back] = true
			d.compareSession(p, back)
		}
	}
}

// peering finds the NVA behind a neighbor: through a tunnel, or else by its address, inside
// of a tunnel that does not work or outside of tunnels. If two NVAs have the address, which
// overlapping VNets may cause, nobody knows.
func (d *differ) peering(a *nva, n *nvadv1.Neighbor) (peering, bool) {
	at := address(n.GetAddress())
	if w, found := a.reach[at]; found {
		p := peering{nva: a, far: w.link.other(w.from).nva, n: n, broken: w.link.broken}
		for _, own := range w.from.inner {
			p.own = append(p.own, own.Addr())
		}
		return p, true
	}
	far, within := d.owner(at), a.inside.Contains(at)
	if far == nil || far == a {
		return peering{}, false
	}
	p := peering{nva: a, far: far, n: n, broken: within}
	for own := range a.underlay {
		p.own = append(p.own, own)
	}
	for _, e := range a.ends {
		for _, own := range e.inner {
			if within && own.Contains(at) {
				p.own = append(p.own, own.Addr())
			}
		}
	}
	return p, true
}

// owner returns the only NVA that has an address; nil if none or several have it.
func (d *differ) owner(at netip.Addr) *nva {
	if d.owners == nil {
		d.owners = map[netip.Addr]*nva{}
		for _, n := range d.nvas {
			own := maps.Clone(n.underlay)
			for _, e := range n.ends {
				for _, p := range e.inner {
					own[p.Addr()] = true
				}
			}
			for addr := range own {
				if _, taken := d.owners[addr]; taken {
					d.owners[addr] = nil
				} else {
					d.owners[addr] = n
				}
			}
		}
	}
	return d.owners[at]
}

// back returns the neighbor of the far NVA that is this one; nil if there is none.
func (p *peering) back() *nvadv1.Neighbor {
	var found *nvadv1.Neighbor
	for _, m := range p.far.Neighbors {
		if at := m.GetAddress(); at == p.n.GetLocalAddress() {
			return m
		} else if found == nil && slices.Contains(p.own, address(at)) {
			found = m
		}
	}
	return found
}

func (d *differ) sessionOneSided(p peering) {
	dynamic := slices.ContainsFunc(p.far.Ranges, func(r *nvadv1.ListenRange) bool {
		prefix, err := netip.ParsePrefix(r.GetPrefix())
		return err == nil && slices.ContainsFunc(p.own, prefix.Contains)
	})
	if dynamic || p.n.GetState() == established || p.n.GetShutdown() || len(p.own) == 0 {
		return
	}
	slices.SortFunc(p.own, netip.Addr.Compare)
	d.find(SessionOneSided, Error, "neighbor "+p.n.GetAddress(), []*nva{p.nva, p.far},
		fmt.Sprintf("%s has %s as neighbor %s, and %s has no neighbor %s.", p.nva.Name, p.far.Name, p.n.GetAddress(), p.far.Name, p.own[0]),
		fmt.Sprintf("On %s, add a [[neighbor]] with address = \"%s\" and remote-asn = %d, or remove the neighbor from %s.", p.far.Name, p.own[0], p.n.GetLocalAsn(), p.nva.Name))
}

// compareSession compares a neighbor with the neighbor at the other side.
func (d *differ) compareSession(p peering, back *nvadv1.Neighbor) {
	wrong := d.asn(p.nva, p.n, p.far, back)
	wrong = d.asn(p.far, back, p.nva, p.n) || wrong
	if up, far := p.n.GetState() == established, back.GetState() == established; up == far || wrong || p.broken {
		return
	} else if far {
		p.nva, p.far, p.n, back = p.far, p.nva, back, p.n
	}
	d.find(SessionUpOneSide, Error, "neighbor "+back.GetAddress(), []*nva{p.nva, p.far},
		fmt.Sprintf("The session between %s and %s is established at %s, and %s at %s%s.", p.nva.Name, p.far.Name, p.nva.Name, back.GetState(), p.far.Name, because(back.GetReason())),
		fmt.Sprintf("Ask again in a few seconds. If it stays, look at nvactl neighbors %s on %s: %s keeps routes until its hold time of %d seconds ends.",
			back.GetAddress(), p.far.Name, p.nva.Name, p.n.GetHoldTimeSeconds()))
}

// asn reports a remote-asn that is not what the far NVA uses. 0 takes any.
func (d *differ) asn(a *nva, n *nvadv1.Neighbor, b *nva, m *nvadv1.Neighbor) bool {
	want, uses := n.GetRemoteAsn(), m.GetLocalAsn()
	if want == 0 || uses == 0 || want == uses {
		return false
	}
	d.find(SessionASNDiffers, Error, "neighbor "+n.GetAddress(), []*nva{a, b},
		fmt.Sprintf("%s expects AS %d of neighbor %s, and %s uses AS %d: the session is refused.", a.Name, want, n.GetAddress(), b.Name, uses),
		fmt.Sprintf("On %s, set remote-asn of neighbor %s to %d.", a.Name, n.GetAddress(), uses))
	return true
}

// mostSkew is how far clocks may be apart.
const mostSkew = 3 * time.Second

// identities compares what each NVA says of itself alone.
func (d *differ) identities() {
	ids, versions := map[string][]*nva{}, map[string][]*nva{}
	var order, releases []string
	for _, n := range d.nvas {
		if id := n.Status.GetRouterId(); id != "" {
			key := fmt.Sprintf("%s in AS %d", id, n.Status.GetAsn())
			if ids[key] = append(ids[key], n); len(ids[key]) == 1 {
				order = append(order, key)
			}
		}
		if v := n.Status.GetVersion(); v != "" {
			if versions[v] = append(versions[v], n); len(versions[v]) == 1 {
				releases = append(releases, v)
			}
		}
	}
	for _, key := range order {
		if same := ids[key]; len(same) > 1 {
			d.find(DuplicateRouterID, Error, "router ID "+same[0].Status.GetRouterId(), same,
				fmt.Sprintf("%s have router ID %s: they refuse sessions with each other, and others take them for one.", strings.Join(names(same), " and "), key),
				"Set router-id on one of them.")
		}
	}
	if len(releases) > 1 {
		var words []string
		for _, v := range releases {
			words = append(words, fmt.Sprintf("%s on %s", v, strings.Join(names(versions[v]), ", ")))
		}
		d.find(VersionsDiffer, Info, "", d.nvas, "Not all run the same version: "+listed(words, "; ")+".", "Upgrade the older ones, one NVA of a hub after the other.")
	}
	d.clocks()
}

// clocks compares the clock that is most behind with the one that is most ahead.
func (d *differ) clocks() {
	var first, last *nva
	for _, n := range d.nvas {
		if n.Doubt == 0 {
			continue
		}
		if first == nil || n.Ahead < first.Ahead {
			first = n
		}
		if last == nil || n.Ahead > last.Ahead {
			last = n
		}
	}
	if first == nil || last.Ahead-first.Ahead-first.Doubt-last.Doubt <= mostSkew {
		return
	}
	d.find(ClocksDiffer, Warning, "clock", []*nva{first, last},
		fmt.Sprintf("The clock of %s is %s ahead of that of %s, so that times in logs and events do not compare, and certificates may not be valid yet or any more.",
			last.Name, (last.Ahead-first.Ahead).Round(time.Second), first.Name), "Let both follow a time server (chronyc tracking says whether they do).")
}
