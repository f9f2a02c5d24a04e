package engine

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/speaker"
)

// Liveness watches the paths to neighbors, as the engine needs it. Its methods do
// not block. It takes next hops out of the forwarding plane by itself, and tells
// the engine by [Engine.PathDown].
type Liveness interface {
	// Watch replaces the set of what is watched.
	Watch([]Watched)
	// Reached says that a neighbor has been got through to by other means: if its
	// path was down, it is not any more.
	Reached(neighbor netip.Addr)
}

// Watched is the path to one neighbor, or to the far end of a tunnel.
type Watched struct {
	Neighbor netip.Addr
	Local    netip.Addr // own address of the path
	Multihop bool       // it is not on a link of this host (RFC 5883)
	Device   string     // of a path that is, as far as the kernel's links tell; empty: any
	// FarEnd is set of one that is no neighbor: nothing else tells whether it is
	// there, so one that never answers counts as dead too.
	FarEnd bool
	config.BFD
}

// ceaseBFDDown is the Cease subcode of RFC 9384.
const ceaseBFDDown = 10

// PathDown says that BFD found the path to a neighbor dead. The session is reset
// and its routes go, also those that graceful restart keeps. It does not block.
func (e *Engine) PathDown(neighbor netip.Addr, reason string) {
	e.lost.mu.Lock()
	e.lost.paths = append(e.lost.paths, lostPath{neighbor, reason})
	e.lost.mu.Unlock()
	e.poke()
}

// lostPaths wait for the engine. There is at most one for each time that a session
// comes up.
type lostPaths struct {
	mu    sync.Mutex
	paths []lostPath
}

type lostPath struct {
	neighbor netip.Addr
	reason   string
}

// SetDead replaces the gateways that BFD holds for dead: static routes through
// them do not stand. The latest call wins. It does not block.
func (e *Engine) SetDead(gateways []netip.Addr) {
	e.dead.Store(&gateways)
	e.poke()
}

func (e *Engine) takeDead() {
	if dead := e.dead.Swap(nil); dead != nil {
		e.rib.SetDead(*dead)
		e.originate()
	}
}

func (e *Engine) takeLost() {
	e.lost.mu.Lock()
	paths := e.lost.paths
	e.lost.paths = nil
	e.lost.mu.Unlock()
	for _, p := range paths {
		if n := e.neighbors[p.neighbor]; n != nil {
			e.losePath(n, p)
		}
	}
}

func (e *Engine) losePath(n *neighbor, p lostPath) {
	if n.up != nil {
		n.pathDown = "BFD: " + p.reason
		e.opt.Speaker.Reset(p.neighbor, n.up.Session, speaker.Notification{Code: cease, Subcode: ceaseBFDDown})
		return
	}
	e.forgetKept(p.neighbor, n)
}

// depart takes a neighbor's gateway out of the forwarding plane until the best
// paths of all it announced are decided anew: groups are swapped in one message,
// routes take longer. It waits for the swap: the walk of a large table that follows
// would keep a processor, and the garbage collector the other.
func (e *Engine) depart(addr netip.Addr) {
	e.departing = append(e.departing, addr)
	diverted := e.opt.Forwarding.SetDead(deadSessions, e.departing)
	if !e.diverts.wait(time.Now()) {
		return
	}
	timeout := time.NewTimer(divertTime)
	defer timeout.Stop()
	select {
	case <-diverted:
	case <-timeout.C:
	}
}

// returned says that the gateway of a neighbor that is back leads somewhere again,
// though the best paths may not have followed its loss yet.
func (e *Engine) returned(addr netip.Addr) {
	if i := slices.Index(e.departing, addr); i >= 0 {
		e.departing = slices.Concat(e.departing[:i], e.departing[i+1:])
		e.opt.Forwarding.SetDead(deadSessions, e.departing)
	}
}

// divertTime bounds how long the engine waits for a swap: that of some thousand
// routes that the forwarding plane may be writing.
const divertTime = 50 * time.Millisecond

// mostDiverts bounds for how many swaps the engine waits in a second: with a link
// hundreds of sessions may go at once, and it has to answer meanwhile.
const mostDiverts = 4

// diverts counts them.
type diverts struct {
	since time.Time
	n     int
}

func (d *diverts) wait(now time.Time) bool {
	if now.Sub(d.since) >= time.Second {
		*d = diverts{since: now}
	}
	d.n++
	return d.n <= mostDiverts
}

// follow ends depart once the best paths have followed, however much other neighbors
// have to tell all the time: routes of others may lead through that gateway.
func (e *Engine) follow(addr netip.Addr, n *neighbor) {
	lost := n.lastDown
	e.rib.Settled(func() {
		if n.lastDown.Equal(lost) { // it may have been back, and lost once more
			e.publish()
			e.returned(addr)
		}
	})
}

// departed says that the best paths of all have followed: nothing waits any more.
func (e *Engine) departed() {
	if len(e.departing) > 0 {
		e.departing = nil
		e.opt.Forwarding.SetDead(deadSessions, nil)
	}
}

// deadSessions names the engine among those who know dead gateways.
const deadSessions = "sessions"

// watch tells what paths are to be watched, if that has changed.
func (e *Engine) watch() {
	if e.opt.Liveness == nil {
		return
	}
	var list []Watched
	for _, c := range e.cfg.Neighbors {
		n := e.neighbors[c.Address]
		if !c.BFD.Enabled || n == nil || n.isShutdown() {
			continue
		}
		w := Watched{Neighbor: c.Address, BFD: c.BFD, Local: e.localFor(n)}
		w.Multihop = c.EBGPMultihop > 1 || c.OwnASN(e.cfg) == c.RemoteASN && !onLink(e.kernel.Links, c.Address)
		switch {
		case !w.Multihop:
			w.Device = linkOf(e.kernel.Links, w.Local, c.Address)
		case w.MinTTL == 0 && c.EBGPMultihop > 1:
			w.MinTTL = 256 - c.EBGPMultihop // as many routers as BGP may pass, from 255
		}
		if w.Local.IsValid() {
			list = append(list, w)
		}
	}
	list = append(list, e.farEnds(list)...)
	if !slices.Equal(list, e.watched) {
		e.watched = list
		e.opt.Liveness.Watch(list)
	}
}

// farEnds is what tunnels have watched, but for neighbors that watched has already.
func (e *Engine) farEnds(watched []Watched) []Watched {
	var out []Watched
	known := func(a netip.Addr) bool {
		is := func(w Watched) bool { return w.Neighbor == a }
		return slices.ContainsFunc(watched, is) || slices.ContainsFunc(out, is)
	}
	for i := range e.cfg.Tunnels {
		t := &e.cfg.Tunnels[i]
		if !t.BFD.Enabled {
			continue
		}
		for _, end := range e.cfg.FarEnds(t) {
			if !known(end.Remote) {
				out = append(out, Watched{
					Neighbor: end.Remote, Local: end.Local, BFD: t.BFD, FarEnd: e.neighbors[end.Remote] == nil,
					Device: t.Name,
				})
			}
		}
	}
	return out
}

// localFor is the own address of the path to a neighbor: that of its session, the
// configured one, or that which the kernel would take; invalid if there is none.
func (e *Engine) localFor(n *neighbor) netip.Addr {
	switch {
	case n.up != nil:
		n.local = n.up.LocalAddress
	case n.cfg.LocalAddress.IsValid():
		return n.cfg.LocalAddress
	}
	if n.local.IsValid() {
		return n.local
	}
	return sourceFor(e.kernel, n.cfg.Address)
}

func onLink(links []fib.Link, addr netip.Addr) bool {
	return slices.ContainsFunc(links, func(l fib.Link) bool {
		return slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Contains(addr) })
	})
}

// linkOf is the link that has the address local in a subnet with remote; empty if
// there is none, or several.
func linkOf(links []fib.Link, local, remote netip.Addr) string {
	found := ""
	for _, l := range links {
		if slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == local && p.Contains(remote) }) {
			if found != "" {
				return ""
			}
			found = l.Name
		}
	}
	return found
}

// sourceFor is the address with which this host reaches addr, as far as links and
// others' routes tell.
func sourceFor(f fib.Facts, addr netip.Addr) netip.Addr {
	best := fib.KernelRoute{}
	for _, r := range f.Routes {
		if r.Prefix.Contains(addr) && len(r.Hops) > 0 && (!best.Prefix.IsValid() || r.Prefix.Bits() > best.Prefix.Bits()) {
			best = r
		}
	}
	if best.Source.IsValid() || len(best.Hops) == 0 {
		return best.Source
	}
	for _, l := range f.Links {
		if l.Index != best.Hops[0].Link {
			continue
		}
		for _, p := range l.Addresses {
			if a := p.Addr(); a.Is4() == addr.Is4() && !a.IsLinkLocalUnicast() || p.Contains(addr) {
				return a
			}
		}
	}
	return netip.Addr{}
}
