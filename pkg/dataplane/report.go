package dataplane

import (
	"context"
	"strings"
	"sync"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/tunnel"
)

// fault logs an object's error when it comes, changes, or goes. It returns
// nothing: the object is tried again.
func (d *Dataplane) fault(object string, err error) {
	switch was := d.shown[object]; {
	case err == nil && was != "":
		delete(d.shown, object)
		d.log.Info("recovered", "object", object)
	case err != nil && err.Error() != was:
		d.shown[object] = err.Error()
		d.log.Warn("failed, will be tried again", "object", object, "reason", err)
	}
}

// report logs repairs and failures of the turn and publishes the counters.
func (d *Dataplane) report() {
	if n, first := d.fib.Repairs(); n > 0 {
		d.log.Warn("repairing what another program changed", "count", n, "first", first)
	}
	for _, what := range d.tunnels.Repairs() {
		d.total.TunnelRepairs++
		d.tellRepair(what)
		d.log.Warn("repaired tunnel that another program changed", "reason", what)
	}
	for _, what := range d.nat.Repairs() {
		d.total.NATRepairs++
		d.log.Warn("repaired nftables table that another program changed", "reason", what)
	}
	for _, what := range d.nics.Repairs() {
		d.total.NICRepairs++
		d.log.Warn("repaired way of a NIC's answers that another program changed", "reason", what)
	}
	for _, n := range d.nics.Status() {
		d.tellNIC(n)
	}
	seen := d.tunnels.Status()
	for _, t := range seen {
		d.tellTunnel(t)
	}
	d.seen.Store(&seen)
	failing := d.total.Failed
	d.total.Counters = d.fib.Count()
	if failing == 0 && d.total.Failed > 0 {
		if example := d.fib.Refusal(); example != nil {
			d.log.Warn("the kernel refuses routes, they will be tried again",
				"count", d.total.Failed, "prefix", example.Prefix, "reason", example.Err)
		}
	}
	c := d.total
	d.counters.Store(&c)
}

// tellTunnel logs a tunnel whose state is another than before.
func (d *Dataplane) tellTunnel(t tunnel.Status) {
	d.tellMTU(t)
	object := "tunnel " + t.Name
	if state := strings.TrimSpace(t.State + " " + t.Reason); d.shown[object] != state {
		d.tellState(t, d.shown[object])
		d.shown[object] = state
		if t.Err == nil {
			d.log.Info("tunnel "+t.State, "tunnel", t.Name, "vni", t.VNI)
		} else {
			d.log.Warn("tunnel "+t.State, "tunnel", t.Name, "vni", t.VNI, "reason", t.Reason)
		}
	}
}

// tellNIC logs a NIC whose state is another than before.
func (d *Dataplane) tellNIC(n nic.Status) {
	object := "nic " + n.Device
	state := strings.TrimSpace(n.State + " " + n.Reason)
	if d.shown[object] == state {
		return
	}
	d.shown[object] = state
	if n.Reason == "" {
		d.log.Info("nic "+n.State, "device", n.Device, "via", n.Gateway, "table", n.Table)
	} else {
		d.log.Warn("nic "+n.State, "device", n.Device, "reason", n.Reason)
	}
}

// tellMTU logs, once, that large packets of a tunnel do not get through, or that
// now they do.
func (d *Dataplane) tellMTU(t tunnel.Status) {
	object := "mtu of " + t.Name
	if d.shown[object] == t.Warning {
		return
	}
	d.shown[object] = t.Warning
	d.tellWarning(t)
	if t.Warning != "" {
		d.log.Warn("tunnel MTU", "tunnel", t.Name, "reason", t.Warning)
	} else {
		d.log.Info("tunnel MTU fits", "tunnel", t.Name)
	}
}

// publish hands facts over if the routes of others changed. Links are told by
// syncLinks at once.
func (d *Dataplane) publish() {
	routes, changed := d.fib.Foreign()
	if !changed {
		return
	}
	d.routes = routes
	d.facts.set(fib.Facts{Links: d.links, Routes: d.routes}, d.links != nil)
}

// factsBox delivers the latest facts from a goroutine of its own.
type factsBox struct {
	fn   func(fib.Facts)
	mu   sync.Mutex
	last *fib.Facts // nil: delivered
	wake chan struct{}
}

func newFactsBox(fn func(fib.Facts)) *factsBox {
	return &factsBox{fn: fn, wake: make(chan struct{}, 1)}
}

// set replaces the facts that wait. Facts that are not whole yet, before the
// first compare or before links were read, are not delivered: all next hops would
// be taken for dead.
func (b *factsBox) set(f fib.Facts, whole bool) {
	if b.fn == nil || !whole {
		return
	}
	b.mu.Lock()
	b.last = &f
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *factsBox) deliver(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.wake:
		}
		b.mu.Lock()
		f := b.last
		b.last = nil
		b.mu.Unlock()
		if f != nil {
			b.fn(*f)
		}
	}
}
