package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/speaker"
)

// A dynamic neighbor is at an address in a listen-range. The speaker decides who may
// connect from there, and keeps the number within the limit. The engine learns of the
// neighbor when its session is established, treats it like any other, and forgets it once
// it has neither a session nor routes that graceful restart keeps, unless it is shut down.

// listenWait is how long after a restart the engine waits for dynamic neighbors, which
// nothing names, before it deletes the routes that an earlier run had from them.
const listenWait = 15 * time.Second

func (n *neighbor) dynamic() bool { return n.cfg.Range.IsValid() }

// admit adds the dynamic neighbor at addr; nil if it is in no listen-range, because a
// reload removed that while the session came up.
func (e *Engine) admit(addr netip.Addr, now time.Time) *neighbor {
	c, ok := e.cfg.Dynamic(addr)
	if !ok || c.Shutdown {
		return nil
	}
	m := e.member(e.compiled, c, c.RemoteASN)
	n := &neighbor{cfg: m.Neighbor, since: now}
	e.neighbors[addr] = n
	e.rib.SetPeer(m.peer)
	e.protect()
	return n
}

// dismiss forgets a dynamic neighbor that is not needed any more.
func (e *Engine) dismiss(addr netip.Addr, n *neighbor) {
	if !n.dynamic() || n.up != nil || !n.staleUntil.IsZero() || n.held != "" {
		return
	}
	e.rib.RemovePeer(addr)
	delete(e.neighbors, addr)
	e.opt.Speaker.Release(addr, n.session)
	e.protect()
	e.watch()
}

// protect keeps the routes of others from diverting the sessions of dynamic neighbors.
// The configuration does not name them, so the forwarding plane learns of them here.
func (e *Engine) protect() {
	var list []netip.Addr
	for _, n := range e.current() {
		if n.Range.IsValid() {
			list = append(list, n.Address)
		}
	}
	if !slices.Equal(list, e.protected) {
		e.protected = list
		e.opt.Forwarding.ProtectNeighbors(list)
	}
}

// dynamicMembers returns the dynamic neighbors that are in a listen-range of c too.
func (e *Engine) dynamicMembers(c *compiled) (out members) {
	for _, addr := range e.addresses() {
		is := e.neighbors[addr]
		n, ok := c.cfg.Dynamic(addr)
		if !ok || !is.dynamic() {
			continue
		}
		asn := n.RemoteASN
		if n.RemoteType == config.External {
			asn = is.cfg.RemoteASN
		}
		out = append(out, e.member(c, n, asn))
	}
	return out
}

// current returns the settings of all neighbors: those of the file in its order, then
// dynamic ones.
func (e *Engine) current() []*config.Neighbor {
	out := make([]*config.Neighbor, 0, len(e.neighbors))
	for i := range e.cfg.Neighbors {
		if n := e.neighbors[e.cfg.Neighbors[i].Address]; n != nil {
			out = append(out, &n.cfg)
		}
	}
	if len(out) == len(e.neighbors) {
		return out
	}
	for _, addr := range e.addresses() {
		if n := e.neighbors[addr]; n.dynamic() {
			out = append(out, &n.cfg)
		}
	}
	return out
}

// ranges returns the ranges of cfg for the speaker. Neighbors that are shut down are none
// of its, so their places are not for others.
func (e *Engine) ranges(cfg *config.Config) []speaker.Range {
	var out []speaker.Range
	for _, r := range cfg.Ranges {
		n := e.located(r.Neighbor, r.Prefix.Addr())
		if r.Shutdown || unlocated(&n) != "" {
			continue
		}
		out = append(out, speaker.Range{
			Prefix: r.Prefix, Group: r.PeerGroup, Limit: r.Limit - e.heldOf(r.PeerGroup), Neighbor: session(cfg, n),
		})
	}
	return out
}

// heldOf counts the dynamic neighbors of a group that are shut down at run time.
func (e *Engine) heldOf(group string) int {
	held := 0
	for _, n := range e.neighbors {
		if n.dynamic() && n.held != "" && n.cfg.PeerGroup == group {
			held++
		}
	}
	return held
}

// heldSessions returns the sessions of dynamic neighbors that are shut down at run time.
func (e *Engine) heldSessions(cfg *config.Config) (out []speaker.Neighbor) {
	for addr, n := range e.neighbors {
		if c, ok := cfg.Dynamic(addr); ok && n.dynamic() && n.held != "" {
			s := session(cfg, c)
			s.Dynamic, s.Disabled = true, true
			out = append(out, s)
		}
	}
	return out
}

// dynamicResets returns the dynamic neighbors whose established sessions cfg resets.
func (e *Engine) dynamicResets(cfg *config.Config) (out []netip.Addr) {
	for addr, n := range e.neighbors {
		before, _ := e.cfg.Dynamic(addr)
		after, stays := cfg.Dynamic(addr)
		if n.dynamic() && n.up != nil && stays && session(e.cfg, before) != session(cfg, after) {
			out = append(out, addr)
		}
	}
	return out
}

// expectsDynamic reports whether dynamic neighbors may still return after a restart.
func (e *Engine) expectsDynamic(now time.Time) bool {
	return e.opt.Restarting && len(e.cfg.Ranges) > 0 && now.Sub(e.started) < listenWait
}

// Range is a listen-range with its dynamic neighbors.
type Range struct {
	Prefix      netip.Prefix
	PeerGroup   string
	Established int
	Accepted    int // routes
	// Places are those that dynamic neighbors of the peer-group take, of Limit: with a
	// session, while one comes up, or for a while after. Refused counts the connections
	// that found none. They are of all ranges of the group together.
	Places, Limit int
	Refused       uint64
}

// rangesNow returns the listen-ranges of the configuration.
func (e *Engine) rangesNow() []Range {
	stats := e.opt.Speaker.Ranges()
	var out []Range
	for _, r := range e.cfg.Ranges {
		s := stats[r.PeerGroup]
		v := Range{
			Prefix: r.Prefix, PeerGroup: r.PeerGroup, Limit: r.Limit,
			Places: s.Taken + e.heldOf(r.PeerGroup), Refused: s.Refused,
		}
		for addr, n := range e.neighbors {
			if n.cfg.Range != r.Prefix {
				continue
			}
			v.Accepted += e.rib.Counts(addr).Accepted
			if n.up != nil {
				v.Established++
			}
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Range) int { return a.Prefix.Compare(b.Prefix) })
	return out
}
