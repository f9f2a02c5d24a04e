package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Range is a prefix from which routers may connect that no neighbor is configured for.
// Each of them becomes a dynamic neighbor for as long as its session lasts.
type Range struct {
	Prefix netip.Prefix
	Limit  int // dynamic neighbors of the peer-group at a time, of all its ranges together
	// Neighbor has the settings of each, without an address.
	Neighbor
}

// at returns the dynamic neighbor at an address in r.
func (r *Range) at(addr netip.Addr) Neighbor {
	n := r.Neighbor
	n.Address, n.Range = addr, r.Prefix
	return n
}

// Limits of dynamic neighbors. A session without routes costs some 400 kB.
const (
	DefaultListenLimit = 100
	mostListenLimit    = 1000 // of all peer-groups together
)

// Dynamic returns the dynamic neighbor that addr would be: one of the longest range that
// contains it. A neighbor that is configured with that address is none.
func (c *Config) Dynamic(addr netip.Addr) (Neighbor, bool) {
	best := -1
	for i := range c.Ranges {
		if p := c.Ranges[i].Prefix; p.Contains(addr) && (best < 0 || p.Bits() > c.Ranges[best].Prefix.Bits()) {
			best = i
		}
	}
	if best < 0 || slices.ContainsFunc(c.Neighbors, func(n Neighbor) bool { return n.Address == addr }) {
		return Neighbor{}, false
	}
	return c.Ranges[best].at(addr), true
}

// ranges adds the ranges of a group.
func (r *neighborReader) ranges(group string) {
	g := r.cfg.Groups[group]
	for _, p := range g.ListenRanges {
		n := Neighbor{Address: p.Addr(), PeerGroup: group, Settings: g.Settings}
		n = r.complete(n, nil)
		n.Address, n.Passive = netip.Addr{}, true
		r.cfg.Ranges = append(r.cfg.Ranges, Range{Prefix: p, Limit: g.listenLimit(), Neighbor: n})
	}
}

// listenRanges reports faults of the ranges and of what their neighbors inherit.
func (v *checker) listenRanges() {
	total := 0
	for _, name := range tomlfile.SortedKeys(v.cfg.Groups) {
		g, key := v.cfg.Groups[name], "peer-group."+name
		if len(g.ListenRanges) == 0 {
			if v.has(key + ".listen-limit") {
				v.fail(key+".listen-limit", "listen-limit has no effect without listen-range; add listen-range, or remove listen-limit")
			}
			continue
		}
		if total += g.listenLimit(); total > mostListenLimit && total-g.listenLimit() <= mostListenLimit {
			v.fail(key+".listen-limit "+key+".listen-range", "the listen-limits of all peer-groups add up to more than %d, the most that nvad accepts; lower them", mostListenLimit)
		}
		if !v.has(key+".remote-asn") && g.Preset == "" {
			v.fail(key+".remote-asn", `required key is missing: a peer-group with listen-range needs an ASN, "external" or "internal"`)
		}
	}
	for i := range v.cfg.Ranges {
		v.listenRange(i)
	}
}

func (v *checker) listenRange(i int) {
	r := &v.cfg.Ranges[i]
	key := "peer-group." + r.PeerGroup + ".listen-range"
	if err := tomlfile.Unicast(r.Prefix.Addr()); r.Prefix.Bits() > 0 && err != nil {
		v.fail(key, "%v", err)
	}
	if linkLocal := netip.MustParsePrefix("fe80::/10"); r.Prefix.Overlaps(linkLocal) {
		v.fail(key, "%s contains link-local addresses, which nvad does not support for neighbors; use another prefix", r.Prefix)
	}
	for j := range i {
		if o := &v.cfg.Ranges[j]; o.Prefix == r.Prefix {
			v.fail(key, "%s is a listen-range twice, also in peer-group %s; remove one", r.Prefix, o.PeerGroup)
		}
	}
	v.keyless(key, r)
	if l := r.LocalAddress; l.IsValid() && l.Is4() != r.Prefix.Addr().Is4() {
		v.fail("peer-group."+r.PeerGroup+".local-address", "%s is not in the address family of listen-range %s", l, r.Prefix)
	}
	n, at := &r.Neighbor, len(v.cfg.Neighbors)+i
	if !v.cfg.firstOfGroup(i) {
		return // what it inherits was reported with the first
	}
	v.timers(at, n)
	v.security(at, n)
	v.kind(at, n)
	v.azureASN(at, n)
}

// keyless reports neighbors and smaller ranges without a TCP-MD5 key within a range that
// has one. The kernel asks every address of the range for a key.
func (v *checker) keyless(key string, r *Range) {
	hasKey := func(s *Settings) bool { return s.Password != "" || s.PasswordFile != "" }
	if !hasKey(&r.Settings) {
		return
	}
	const msg = "%s is within listen-range %s of peer-group %s, which has a password: the kernel then asks every address of the range for one; set a password here too"
	for i := range v.cfg.Neighbors {
		if n := &v.cfg.Neighbors[i]; r.Prefix.Contains(n.Address) && !hasKey(&n.Settings) {
			v.fail(v.src.Elem("neighbor", i, n.Address)+".address "+key, msg, n.Address, r.Prefix, r.PeerGroup)
		}
	}
	for i := range v.cfg.Ranges {
		if o := &v.cfg.Ranges[i]; o.Prefix.Bits() > r.Prefix.Bits() && r.Prefix.Overlaps(o.Prefix) && !hasKey(&o.Settings) {
			v.fail("peer-group."+o.PeerGroup+".listen-range", msg, o.Prefix, r.Prefix, r.PeerGroup)
		}
	}
}

// firstOfGroup reports whether range i is the first of its peer-group.
func (c *Config) firstOfGroup(i int) bool {
	return i == 0 || c.Ranges[i-1].PeerGroup != c.Ranges[i].PeerGroup
}

// neighborAt returns neighbor i or, beyond the last one, that of a range.
func (c *Config) neighborAt(i int) *Neighbor {
	if i < len(c.Neighbors) {
		return &c.Neighbors[i]
	}
	return &c.Ranges[i-len(c.Neighbors)].Neighbor
}

// diffRange compares a range before and after a change.
func diffRange(object string, a, b *Range) []Change {
	var out []Change
	if a.Limit != b.Limit {
		out = append(out, Change{Object: object, What: fmt.Sprintf("listen-limit: %d -> %d", a.Limit, b.Limit), Impact: Live})
	}
	return append(out, diffNeighbor(object, &a.Neighbor, &b.Neighbor)...)
}
