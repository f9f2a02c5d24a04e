package dataplane

import (
	"context"
	"net/netip"

	"github.com/nvad/nvad/pkg/fib"
)

// Route returns nvad's entries for one prefix, and the kernel's other routes for
// it, both by metric.
func (d *Dataplane) Route(ctx context.Context, prefix netip.Prefix) (own []fib.Entry, others []fib.KernelRoute, err error) {
	err = d.call(ctx, func() { own, others = d.fib.At(prefix), d.fib.Others(prefix) })
	return own, others, err
}
