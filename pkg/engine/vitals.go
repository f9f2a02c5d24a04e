package engine

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/fib"
)

// Vitals is what tells whether this NVA should carry traffic.
type Vitals struct {
	InSync      bool
	Waiting     []netip.Addr // neighbors that keep the engine from being in sync
	Drain       Drain
	Established map[string]int // neighbors that are, by peer-group
	Tunnels     map[string]TunnelVitals
}

// TunnelVitals is a tunnel with the neighbors that are reached over it.
type TunnelVitals struct {
	Up                     bool // the device is there and up
	Neighbors, Established int
}

// Vitals returns the engine's vitals. It walks neighbors, never routes.
func (e *Engine) Vitals(ctx context.Context) (Vitals, error) {
	var v Vitals
	err := e.do(ctx, func() { v = e.vitals() })
	return v, err
}

func (e *Engine) vitals() Vitals {
	v := Vitals{
		InSync: e.sync.reached, Drain: e.drainNow(), Established: map[string]int{}, Tunnels: map[string]TunnelVitals{},
	}
	if !v.InSync {
		v.Waiting = e.waiting(time.Now())
		slices.SortFunc(v.Waiting, netip.Addr.Compare)
	}
	for _, n := range e.neighbors {
		if n.up != nil {
			v.Established[n.cfg.PeerGroup]++
		}
	}
	for _, t := range e.cfg.Tunnels {
		v.Tunnels[t.Name] = e.tunnelVitals(t.Name, t.Addresses)
	}
	return v
}

func (e *Engine) tunnelVitals(name string, subnets []netip.Prefix) TunnelVitals {
	v := TunnelVitals{Up: slices.ContainsFunc(e.kernel.Links, func(l fib.Link) bool { return l.Name == name && l.Up })}
	for addr, n := range e.neighbors {
		if !slices.ContainsFunc(subnets, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			continue
		}
		v.Neighbors++
		if n.up != nil {
			v.Established++
		}
	}
	return v
}
