package engine

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/speaker"
)

// Liveness watches the paths to neighbors with BFD. Its methods do not block. It
// takes next hops out of the forwarding plane by itself, and calls [Engine.PathDown].
type Liveness interface {
	// Watch replaces the paths to watch.
	Watch([]Watched)
	// Reached says that a neighbor was reached by other means, so that its path is
	// not down any more.
	Reached(neighbor netip.Addr)
}

// Watched is the path to a neighbor, or to the far end of a tunnel.
type Watched struct {
	Neighbor netip.Addr
	Local    netip.Addr // this machine's address on the path
	Multihop bool       // Neighbor is not on a link of this machine (RFC 5883)
	Device   string     // of a path that is not multihop, as far as the kernel's links tell; empty: any
	// FarEnd marks a gateway that is not a neighbor. Nothing else shows whether it is
	// there, so one that never answers counts as dead too.
	FarEnd bool
	config.BFD
}

func (e *Engine) losePath(n *neighbor, p lostPath) {
	if n.up != nil {
		n.pathDown = "BFD: " + p.reason
		e.opt.Speaker.Reset(p.neighbor, n.up.Session, speaker.Notification{Code: speaker.CodeCease, Subcode: speaker.CeaseBFDDown})
		return
	}
	e.forgetKept(p.neighbor, n)
	e.dismiss(p.neighbor, n)
}

// watch updates the paths that Liveness watches, if they changed.
func (e *Engine) watch() {
	if e.opt.Liveness == nil {
		return
	}
	var list []Watched
	for _, c := range e.current() {
		n := e.neighbors[c.Address]
		if !c.BFD.Enabled || n.isShutdown() || unlocated(c) != "" {
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

// farEnds returns the far ends that tunnels ask BFD to watch, without those that
// watched has already.
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

// localFor returns this machine's address on the path to a neighbor: that of its
// session, the configured one, or the one that the kernel would use; invalid if there
// is none.
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

// linkOf returns the link that has the address local in a subnet with remote; empty
// if there is none, or more than one.
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

// sourceFor returns the address from which this machine reaches addr, as far as links
// and other programs' routes show.
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
