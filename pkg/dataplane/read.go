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

// Counters returns the totals as of the last step. It does not wait for the loop.
func (d *Dataplane) Counters() Counters { return *d.counters.Load() }

// SeenTunnels returns the wanted tunnels as of the last step. Unlike [Dataplane.Tunnels] it
// does not wait for the loop.
func (d *Dataplane) SeenTunnels() []tunnel.Status { return *d.seen.Load() }

// Waiting returns the number of route changes that the loop has not taken yet.
func (d *Dataplane) Waiting() int {
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	return len(d.box.in.changes)
}

// readPage is the number of prefixes that a reader copies in one call to the loop.
const readPage = 512

// Routes calls yield with all routes, by prefix and metric. It stops at the first error of
// yield, and returns it. The loop does not wait for yield but copies a page at a time, so
// a route may be newer than the one before it.
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

// Tally counts the wanted routes, see [fib.FIB.Tally].
func (d *Dataplane) Tally(ctx context.Context) (t fib.Tally, err error) {
	err = d.call(ctx, func() { t = d.fib.Tally() })
	return t, err
}

// Links returns the links as they were last read.
func (d *Dataplane) Links(ctx context.Context) (list []fib.Link, err error) {
	err = d.call(ctx, func() { list = slices.Clone(d.links) })
	return list, err
}

// Tunnels reads the links anew and returns the wanted tunnels.
func (d *Dataplane) Tunnels(ctx context.Context) (list []tunnel.Status, err error) {
	err = d.call(ctx, func() {
		if d.wanted != nil && !d.flushed {
			d.syncLinks(time.Now())
		}
		list = d.tunnels.Status()
	})
	return list, err
}

// NAT returns the wanted rules of the nftables table with the kernel's counters.
func (d *Dataplane) NAT(ctx context.Context) (list []nat.Status, err error) {
	callErr := d.call(ctx, func() { list, err = d.nat.Status() })
	return list, errors.Join(callErr, err)
}

// NICs returns the wanted NICs as of the last step.
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
