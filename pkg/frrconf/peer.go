package frrconf

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
)

// peer is a neighbor or a peer-group.
type peer struct {
	name        string
	address     netip.Addr // invalid for a group
	group       string
	remote      remote
	description string
	bfdProfile  string
	bfdLine     *line // names bfdProfile
	session     []edit
	families    [families]peerFamily
	lines       []*line
}

// remote is what the remote-as lines of a peer say.
type remote struct {
	as     string // an ASN, "internal", "external" or "auto"
	number string // the last ASN that was given
	line   *line
}

// peerFamily holds the lines of a peer in one address family.
type peerFamily struct {
	active *bool
	mute   bool              // nothing is sent, because a line is lost that would send less
	filter map[string]string // by direction, the kind of list for the prefix
	edits  []edit
	lines  []*line
}

// edit is the change that a line makes.
type edit func(*config.Settings)

// peerHandler carries over a line about p.
type peerHandler func(c *converter, l *line, p *peer, args []string) outcome

// about returns a rule in whose pattern the first word in capitals is a neighbor or
// peer-group.
func about(pattern string, do peerHandler) rule {
	return on(pattern, func(c *converter, l *line, args []string) outcome {
		p, o := c.bgp.peer(args[0])
		if o != carried {
			return o
		}
		o = do(c, l, p, args[1:])
		if o == carried {
			p.lines = append(p.lines, l)
		}
		return o
	})
}

// peer returns the peer that a line names. The first line about an address creates it.
func (b *bgp) peer(name string) (*peer, outcome) {
	if p := b.groups[name]; p != nil {
		return p, carried
	}
	a, err := netip.ParseAddr(name)
	switch {
	case err != nil:
		return nil, unsupported("%s is neither an address nor a peer-group: nvad has no neighbors by interface", name)
	case a.Zone() != "" || a.Is4In6():
		return nil, unsupported("a neighbor with such an address")
	}
	p := b.peers[a.String()]
	if p == nil {
		p = &peer{name: name, address: a}
		b.peers[a.String()] = p
		b.order = append(b.order, p)
	}
	return p, carried
}

// definePeerGroup reads the line that declares a peer-group.
func definePeerGroup(c *converter, l *line, args []string) outcome {
	if _, err := netip.ParseAddr(args[0]); err == nil {
		return attention("a peer-group can't have an address as its name")
	}
	p := c.bgp.groups[args[0]]
	if p == nil {
		p = &peer{name: args[0]}
		c.bgp.groups[p.name] = p
	}
	p.lines = append(p.lines, l)
	return carried
}

// finishNeighbors adds the neighbors in the order of their first lines.
func (c *converter) finishNeighbors() {
	shape := map[string]family{} // address family of a group's members
	for _, p := range c.bgp.order {
		if n, f, ok := c.neighbor(p); ok {
			c.cfg.Neighbors = append(c.cfg.Neighbors, n)
			if _, known := shape[p.group]; !known {
				shape[p.group] = f
			}
		}
	}
	for name, g := range c.bgp.groups {
		if c.cfg.Groups == nil {
			c.cfg.Groups = map[string]config.Group{}
		}
		c.cfg.Groups[name] = config.Group{Name: name, Settings: c.groupSettings(g, shape[name])}
	}
}

// neighbor returns the neighbor for p and the family with its settings; false if p can't
// be carried over.
func (c *converter) neighbor(p *peer) (config.Neighbor, family, bool) {
	g := c.bgp.groups[p.group]
	asn, o := c.remoteASN(p, g)
	if o != carried {
		p.drop(o)
		return config.Neighbor{}, 0, false
	}
	n := config.Neighbor{Address: p.address, Description: p.description, PeerGroup: p.group}
	active := c.active(p, g)
	own := ipv4
	if p.address.Is6() {
		own = ipv6
	}
	if len(active) == 0 {
		active = []family{own}
		p.lines[0].leave(attention("neighbor %s is active in no family, so that FRR opens no session: it is shut down here", p.name))
		p.session = append(p.session, func(s *config.Settings) { s.Shutdown = true })
	}
	if p.address.Is6() && !slices.Contains(active, ipv6) {
		p.drop(unsupported("only IPv4 routes over an IPv6 session"))
		return config.Neighbor{}, 0, false
	}
	chosen := c.chooseFamilies(p, g, asn, active, own)
	n.Settings = c.settings(p, g, chosen[0], asn)
	for _, f := range chosen {
		n.Families |= routeFamilies[f]
	}
	return n, chosen[0], true
}

// drop leaves all lines of p over.
func (p *peer) drop(o outcome) {
	for _, l := range p.lines {
		l.drop(o)
	}
}

// remoteASN returns the ASN of the neighbor or of its group.
func (c *converter) remoteASN(p, g *peer) (uint32, outcome) {
	r := p.remote
	if g != nil && g.remote.as != "" {
		r = g.remote
		if _, given := number(p.remote.as); given && p.remote.as != r.as {
			p.remote.line.leave(attention("in FRR, the remote-as of peer-group %s counts", g.name))
		}
		r.number = cmp.Or(r.number, p.remote.number)
	}
	switch asn, ok := number(r.as); {
	case r.as == "":
		return 0, attention("neighbor %s has no remote-as", p.name)
	case r.as == "internal":
		return c.bgp.asn, carried
	case r.as == "external", r.as == "auto":
		return c.anyASN(p, r), carried
	case !ok || asn == 0:
		return 0, attention("%s is not an ASN", r.as)
	default:
		return asn, carried
	}
}

// anyASN returns the ASN of a neighbor for which FRR accepts any: the one that an earlier
// line names, if it does, or a placeholder.
func (c *converter) anyASN(p *peer, r remote) uint32 {
	if asn, ok := number(r.number); ok && asn != 0 && asn != c.bgp.asn {
		r.line.leave(attention("FRR accepts any ASN but its own from neighbor %s, nvad only %d, which an earlier line names", p.name, asn))
		return asn
	}
	asn := c.bgp.unusedASN(c.lines)
	o := attention("FRR accepts any ASN but its own, nvad needs the one of neighbor %s: remote-asn is a placeholder", p.name)
	o.placeholder = fmt.Sprintf("remote-asn = %d\n", asn)
	r.line.leave(o)
	return asn
}

// unusedASN returns a private ASN that is not in the file, always the same.
func (b *bgp) unusedASN(lines []*line) uint32 {
	if b.unused != 0 {
		return b.unused
	}
	used := map[string]bool{}
	for _, l := range lines {
		for _, w := range l.words {
			used[w] = true
		}
	}
	for b.unused = placeholderASN; used[strconv.FormatUint(uint64(b.unused), 10)]; b.unused++ {
	}
	return b.unused
}

// active returns the families that FRR exchanges with p.
func (c *converter) active(p, g *peer) []family {
	var out []family
	for f := range families {
		on := c.bgp.activate[f]
		if g != nil && g.families[f].active != nil {
			on = *g.families[f].active
		}
		if p.families[f].active != nil {
			on = *p.families[f].active
		}
		if on {
			out = append(out, f)
		}
	}
	return out
}

// chooseFamilies drops one family if the two have different settings, as nvad has one
// policy for both. Nothing is lost if that family denies everything in both directions.
func (c *converter) chooseFamilies(p, g *peer, asn uint32, active []family, own family) []family {
	if len(active) < 2 {
		return active
	}
	if reflect.DeepEqual(c.settings(p, g, ipv4, asn), c.settings(p, g, ipv6, asn)) {
		return active
	}
	other := 1 - own
	s := c.settings(p, g, other, asn)
	if (s.Import != policy.Chain{} || s.Export != policy.Chain{}) {
		o := attention("neighbor %s has different settings in its two families, and nvad has one set for both: only the family of its address is carried over", p.name)
		for _, l := range p.families[other].lines {
			l.leave(o)
		}
		p.lines[0].leave(o)
	}
	return []family{own}
}

// settings returns the settings of neighbor p of group g in one family; g may be nil.
func (c *converter) settings(p, g *peer, f family, asn uint32) config.Settings {
	s := c.defaults()
	s.HoldTime, s.Keepalive = c.bgp.holdTime, c.bgp.keepalive
	s.Shutdown = c.bgp.defaultShutdown
	if g != nil {
		g.apply(&s, f)
	}
	p.apply(&s, f)
	s.Shutdown = s.Shutdown || c.bgp.shutdown
	c.applyBFD(&s, p, g)
	s.RemoteASN = asn
	own := c.bgp.asn
	if s.LocalASN != 0 {
		own = s.LocalASN
	}
	s.Import = c.sourced(c.chain(s.Import, asn == own))
	s.Export = c.chain(s.Export, asn == own)
	if p.families[f].mute || g != nil && g.families[f].mute {
		s.Export = policy.Chain{}
	}
	return s
}

// groupSettings returns the settings from the group's lines; neighbors add the rest.
func (c *converter) groupSettings(g *peer, f family) config.Settings {
	s := c.defaults()
	s.HoldTime = c.bgp.holdTime
	if c.bgp.keepalive != c.bgp.holdTime/3 {
		s.Keepalive = c.bgp.keepalive
	}
	g.apply(&s, f)
	c.applyBFD(&s, g, nil)
	if asn, ok := number(g.remote.as); ok {
		s.RemoteASN = asn
	} else if g.remote.as == "internal" {
		s.RemoteASN = c.bgp.asn
	}
	s.Import.Accept = s.Import != policy.Chain{}
	s.Import = c.sourced(s.Import)
	s.Export.Accept = s.Export != policy.Chain{}
	return s
}

func (p *peer) apply(s *config.Settings, f family) {
	for _, e := range slices.Concat(p.session, p.families[f].edits) {
		e(s)
	}
}

// defaults returns nvad's defaults, changed to FRR's where they differ.
func (c *converter) defaults() config.Settings {
	s := config.DefaultSettings()
	s.EnforceFirstAS = c.bgp.enforceFirstAS
	s.AllowASSets = !c.bgp.refuseASSets
	s.GracefulRestart = c.bgp.graceful
	s.RestartTime = c.bgp.restartTime
	s.StalePathTime = c.bgp.stalePathTime
	s.MaximumPrefix = 0 // FRR has none that is not configured
	return s
}

// chain completes a policy with FRR's default: without lists, deny everything if RFC 8212
// applies, otherwise accept everything.
func (c *converter) chain(lists policy.Chain, internal bool) policy.Chain {
	lists.Accept = lists != policy.Chain{} || internal || !c.bgp.requirePolicy
	return lists
}
