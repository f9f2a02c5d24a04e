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
	v := Vitals{Established: map[string]int{}, Tunnels: map[string]TunnelVitals{}}
	err := e.do(ctx, func() {
		v.InSync, v.Drain = e.sync.reached, e.drainNow()
		if !v.InSync {
			v.Waiting = e.waiting(time.Now())
		}
		for _, n := range e.neighbors {
			if n.up != nil {
				v.Established[n.cfg.PeerGroup]++
			}
		}
		for _, t := range e.cfg.Tunnels {
			v.Tunnels[t.Name] = e.tunnelVitals(t.Name, t.Addresses)
		}
	})
	slices.SortFunc(v.Waiting, netip.Addr.Compare)
	return v, err
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
