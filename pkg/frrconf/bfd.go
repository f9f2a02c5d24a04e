package frrconf

import (
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
)

// bfdProfile is a profile or peer of the bfd block. A value that it does not set is 0.
type bfdProfile struct {
	config.BFD
	profile  string // of a peer
	shutdown bool
	lines    []*line
}

// bfdBlock holds the bfd block.
type bfdBlock struct {
	profiles map[string]*bfdProfile
	peers    map[netip.Addr]*bfdProfile
}

// bfdRules are the commands of the bfd block.
var bfdRules = []rule{
	on("profile NAME", enterBFDProfile),
	on("peer ADDRESS REST", enterBFDPeer),
	on("no profile|peer REST", always(takesBack)),
}

// bfdSessionRules are the commands of a profile and of a peer.
var bfdSessionRules = slices.Concat(
	[]rule{
		on("detect-multiplier N", bfdNumber(1, 255, func(p *bfdProfile, n uint32) { p.Multiplier = int(n) })),
		on("receive-interval N", bfdNumber(10, 60000, func(p *bfdProfile, n uint32) { p.MinRx = time.Duration(n) * time.Millisecond })),
		on("transmit-interval N", bfdNumber(10, 60000, func(p *bfdProfile, n uint32) { p.MinTx = time.Duration(n) * time.Millisecond })),
		on("minimum-ttl N", bfdNumber(1, 254, func(p *bfdProfile, n uint32) { p.MinTTL = int(n) })),
		on("profile NAME", func(c *converter, l *line, args []string) outcome {
			c.mode.bfd.profile = args[0]
			return c.mode.bfd.keep(l)
		}),
		on("shutdown", bfdShutdown(true)),
		on("no shutdown", bfdShutdown(false)),
		on("no echo-mode", always(carried)),
		on("no passive-mode", always(carried)),
	},
	each(meaningless("nvad always logs changes of BFD sessions"), "log-session-changes", "no log-session-changes"),
	each(unsupported("BFD's echo mode; the session itself is carried over"), "echo-mode", "echo REST", "echo-interval N"),
	each(unsupported("waiting for the neighbor's BFD to begin; the session itself is carried over"), "passive-mode"),
)

func enterBFD(c *converter, _ *line, _ []string) outcome {
	c.enter(&mode{rules: bfdRules})
	return carried
}

func enterBFDProfile(c *converter, l *line, args []string) outcome {
	p := c.bfd.profiles[args[0]]
	if p == nil {
		p = &bfdProfile{}
		c.bfd.profiles[args[0]] = p
	}
	c.enter(&mode{rules: bfdSessionRules, bfd: p})
	return p.keep(l)
}

func enterBFDPeer(c *converter, l *line, args []string) outcome {
	a, err := netip.ParseAddr(args[0])
	if err != nil {
		return c.skip(attention("%s is not an address", args[0]))
	}
	p := c.bfd.peers[a]
	if p == nil {
		p = &bfdProfile{}
		c.bfd.peers[a] = p
	}
	c.enter(&mode{rules: bfdSessionRules, bfd: p})
	return p.keep(l)
}

// keep adds a line that counts if the profile or peer is used.
func (p *bfdProfile) keep(l *line) outcome {
	p.lines = append(p.lines, l)
	return carried
}

func bfdNumber(least, most uint32, set func(*bfdProfile, uint32)) handler {
	return func(c *converter, l *line, args []string) outcome {
		n, ok := number(args[0])
		if !ok || n < least || n > most {
			return attention("%s is not a number from %d to %d", args[0], least, most)
		}
		set(c.mode.bfd, n)
		return c.mode.bfd.keep(l)
	}
}

func bfdShutdown(yes bool) handler {
	return func(c *converter, l *line, _ []string) outcome {
		c.mode.bfd.shutdown = yes
		return c.mode.bfd.keep(l)
	}
}

// useProfile reads the profile of a neighbor, which also turns BFD on.
func useProfile(c *converter, l *line, p *peer, args []string) outcome {
	p.bfdProfile, p.bfdLine = args[0], l
	return p.change(func(s *config.Settings) { bfd(s, true) })
}

// noProfile takes the profile of a neighbor away. BFD stays on.
func noProfile(_ *converter, _ *line, p *peer, _ []string) outcome {
	p.bfdProfile, p.bfdLine = "", nil
	return carried
}

// applyBFD completes the BFD of a neighbor or group with what the bfd block says. As in
// FRR, a value of the neighbor's own counts unless it is the default.
func (c *converter) applyBFD(s *config.Settings, p, g *peer) {
	if !s.BFD.Enabled {
		return
	}
	if own := c.bfd.peers[p.address]; own != nil {
		own.apply(&s.BFD)
		if profile := c.bfd.profiles[own.profile]; profile != nil {
			profile.apply(&s.BFD)
		}
	}
	if p.bfdProfile == "" && g != nil {
		p = g
	}
	if profile := c.bfd.profiles[p.bfdProfile]; profile != nil {
		profile.apply(&s.BFD)
	} else if p.bfdLine != nil {
		p.bfdLine.leave(attention("there is no profile %s: BFD has its default timers, as in FRR", p.bfdProfile))
	}
}

func (p *bfdProfile) apply(b *config.BFD) {
	d := config.DefaultBFD()
	b.MinTx = unlessSet(b.MinTx, d.MinTx, p.MinTx)
	b.MinRx = unlessSet(b.MinRx, d.MinRx, p.MinRx)
	b.Multiplier = unlessSet(b.Multiplier, d.Multiplier, p.Multiplier)
	b.MinTTL = unlessSet(b.MinTTL, d.MinTTL, p.MinTTL)
	if p.shutdown {
		*b = config.BFD{}
	}
}

// unlessSet returns v, or other if v is the default and other is set.
func unlessSet[T comparable](v, def, other T) T {
	var none T
	if v == def && other != none {
		return other
	}
	return v
}

// finishBFD leaves over the sessions that no neighbor uses.
func (c *converter) finishBFD() {
	for a, p := range c.bfd.peers {
		used := slices.ContainsFunc(c.cfg.Neighbors, func(n config.Neighbor) bool { return n.Address == a && (n.BFD.Enabled || p.shutdown) })
		for _, l := range p.lines {
			if !used {
				l.drop(unsupported("a BFD session that no BGP neighbor asks for"))
			}
		}
	}
}
