package frrconf

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"

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
	deaf        bool  // nothing is accepted, because a line is lost that would accept less
	session     []edit
	families    [families]peerFamily
	lines       []*line
}

// remote is the AS that the remote-as lines of a peer name.
type remote struct {
	as   string // an ASN, "internal", "external" or "auto"
	line *line
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
	c.finishRanges()
}

// neighbor returns the neighbor for p and the family with its settings; false if p can't
// be carried over.
func (c *converter) neighbor(p *peer) (config.Neighbor, family, bool) {
	g := c.bgp.groups[p.group]
	r, o := c.remoteOf(p, g)
	if o != carried {
		p.drop(o)
		return config.Neighbor{}, 0, false
	}
	n := config.Neighbor{Address: p.address, Description: p.description, PeerGroup: p.group}
	active := c.active(p, g)
	own := familyOfAddr(p.address)
	if len(active) == 0 {
		active = []family{own}
		p.lines[0].leave(attention("neighbor %s is active in no family, so that FRR opens no session: it is shut down here", p.name))
		p.session = append(p.session, func(s *config.Settings) { s.Shutdown = true })
	}
	if p.address.Is6() && !slices.Contains(active, ipv6) {
		p.drop(unsupported("only IPv4 routes over an IPv6 session"))
		return config.Neighbor{}, 0, false
	}
	chosen := c.chooseFamilies(p, g, r, active, own)
	n.Settings = c.settings(p, g, chosen[0], r)
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

// remoteOf returns what the remote-as of a neighbor says; that of its group counts first.
func (c *converter) remoteOf(p, g *peer) (remote, outcome) {
	r := p.remote
	if g != nil && g.remote.as != "" {
		if p.remote.as != "" && p.remote.as != g.remote.as {
			p.remote.line.leave(attention("in FRR, the remote-as of peer-group %s counts", g.name))
		}
		r = g.remote
	}
	switch asn, ok := number(r.as); {
	case r.as == "":
		return r, attention("neighbor %s has no remote-as", p.name)
	case r.as == "auto":
		r.line.leave(attention("FRR also accepts its own ASN from neighbor %s, nvad any but its own", p.name))
	case !r.named() && (!ok || asn == 0):
		return r, attention("%s is not an ASN", r.as)
	}
	return r, carried
}

// named reports whether a word stands for the ASN.
func (r remote) named() bool { return slices.Contains([]string{"internal", "external", "auto"}, r.as) }

// set sets the ASN of a neighbor, or the word for it. own is the ASN of this router towards
// the neighbor. It reports whether the session is internal.
func (r remote) set(s *config.Settings, own uint32) (internal bool) {
	switch asn, _ := number(r.as); r.as {
	case "internal":
		s.RemoteASN, s.RemoteType = own, config.Internal
	case "external", "auto":
		s.RemoteASN, s.RemoteType = 0, config.External
	default:
		s.RemoteASN = asn
	}
	return s.RemoteASN == own
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
func (c *converter) chooseFamilies(p, g *peer, r remote, active []family, own family) []family {
	if len(active) < 2 {
		return active
	}
	if reflect.DeepEqual(c.settings(p, g, ipv4, r), c.settings(p, g, ipv6, r)) {
		return active
	}
	other := 1 - own
	s := c.settings(p, g, other, r)
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
func (c *converter) settings(p, g *peer, f family, r remote) config.Settings {
	s := c.defaults()
	s.HoldTime, s.Keepalive = c.bgp.holdTime, c.bgp.keepalive
	s.Shutdown = c.bgp.defaultShutdown
	if g != nil {
		g.apply(&s, f)
	}
	p.apply(&s, f)
	s.Shutdown = s.Shutdown || c.bgp.shutdown
	c.applyBFD(&s, p, g)
	internal := r.set(&s, cmp.Or(s.LocalASN, c.bgp.asn))
	s.Import = c.sourced(c.chain(s.Import, internal))
	s.Export = c.chain(s.Export, internal)
	if p.deaf || g != nil && g.deaf {
		s.Import = policy.Chain{}
	}
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
	if g.remote.as != "" {
		g.remote.set(&s, 0) // the neighbor knows which ASN is internal
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
