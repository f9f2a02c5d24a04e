package dataplane

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Counters returns the totals of the last turn.
func (d *Dataplane) Counters() Counters { return *d.counters.Load() }

// SeenTunnels returns the wanted tunnels as they were after the last turn. Unlike
// Tunnels it does not wait for the loop.
func (d *Dataplane) SeenTunnels() []tunnel.Status { return *d.seen.Load() }

// Waiting is how many changes of routes the loop has not taken yet.
func (d *Dataplane) Waiting() int {
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	return len(d.box.in.changes)
}

// readPage is how many prefixes a reader copies in one turn of the loop.
const readPage = 512

// Routes calls yield with the routes by prefix and metric, and stops at yield's
// first error, which it returns. The loop does not wait for yield: it copies a page
// at a time, so that a route may be newer than the one before it.
func (d *Dataplane) Routes(ctx context.Context, yield func(fib.Status) error) error {
	prefixes, release, err := d.lists.Borrow(ctx, func(ctx context.Context) (out []netip.Prefix, err error) {
		err = d.call(ctx, func() { out = d.fib.Prefixes() })
		return out, err
	})
	if err != nil {
		return err
	}
	defer release()
	for page := range prefixes.Pages(readPage) {
		var list []fib.Status
		if err := d.call(ctx, func() { list = d.fib.StatusOf(page) }); err != nil {
			return err
		}
		for _, s := range list {
			if err := yield(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// Tally counts the routes as fib.FIB.Tally does.
func (d *Dataplane) Tally(ctx context.Context) (t fib.Tally, err error) {
	err = d.call(ctx, func() { t = d.fib.Tally() })
	return t, err
}

// Links returns the links as last read.
func (d *Dataplane) Links(ctx context.Context) (list []fib.Link, err error) {
	err = d.call(ctx, func() { list = slices.Clone(d.links) })
	return list, err
}

// Tunnels returns the wanted tunnels as the kernel has them now.
func (d *Dataplane) Tunnels(ctx context.Context) (list []tunnel.Status, err error) {
	err = d.call(ctx, func() {
		if d.wanted != nil && !d.flushed {
			d.syncLinks(time.Now())
		}
		list = d.tunnels.Status()
	})
	return list, err
}

// NAT returns the wanted rules of NAT with the kernel's counters.
func (d *Dataplane) NAT(ctx context.Context) (list []nat.Status, err error) {
	callErr := d.call(ctx, func() { list, err = d.nat.Status() })
	return list, errors.Join(callErr, err)
}

// NICs returns the wanted NICs as they were at the end of the last turn.
func (d *Dataplane) NICs(ctx context.Context) (list []nic.Status, err error) {
	err = d.call(ctx, func() { list = d.nics.Status() })
	return list, err
}

// Route returns nvad's routes for one prefix, and the kernel's other routes for it, both
// by metric.
func (d *Dataplane) Route(ctx context.Context, prefix netip.Prefix) (own, others []fib.Status, err error) {
	err = d.call(ctx, func() { own, others = d.fib.At(prefix), d.fib.Others(prefix) })
	return own, others, err
}
