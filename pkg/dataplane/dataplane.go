package dataplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Dataplane is the loop and its state.
type Dataplane struct {
	opt      Options
	log      *slog.Logger
	box      *inbox
	calls    chan func()
	done     chan struct{} // closed when the loop has ended
	ready    chan struct{}
	once     sync.Once
	counters atomic.Pointer[Counters]
	seen     atomic.Pointer[[]tunnel.Status] // tunnels at the end of the last turn
	facts    *factsBox
	lists    route.Lists // of prefixes, lent to readers of all routes

	// Of the loop alone.
	fib      *fib.FIB
	tunnels  *tunnel.Manager
	nat      *nat.Manager
	nics     *nic.Manager
	owner    *ownership
	settings *settings
	wanted   *Wanted
	links    []fib.Link // nil: not read yet
	routes   []fib.KernelRoute
	due      due
	shown    map[string]string // faults and states that are logged, by object
	total    Counters
	flushed  bool

	dead     map[string][]netip.Addr // gateways, by who knows
	linkDied bool                    // the FIB was told of it: it must hear if the link is back already
}

// due is when each thing is to be looked at; zero: not of itself.
type due struct {
	links, nics, nat, sysctls, compare time.Time
	compareFrom                        time.Time // no full compare before
	scan                               time.Time
}

// New returns a data plane that touches nothing before [Dataplane.Run] and the
// first [Dataplane.SetWanted].
func New(opt Options) (*Dataplane, error) {
	if opt.Scan == 0 {
		opt.Scan = DefaultScan
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	owner, err := readOwnership(opt.StateFile, opt.Namespace)
	if err != nil {
		opt.Log.Warn("what an earlier run left can't be recognised", "reason", err)
	}
	settings, err := readSettings(opt.SysctlFile, opt.Namespace)
	if err != nil {
		opt.Log.Warn("sysctls of an earlier run are not put back", "reason", err)
	}
	d := &Dataplane{
		opt: opt, log: opt.Log, box: newInbox(), owner: owner, settings: settings,
		calls: make(chan func()), done: make(chan struct{}), ready: make(chan struct{}),
		facts: newFactsBox(opt.OnFacts), tunnels: tunnel.New(opt.Tunnels), nat: nat.New(opt.NAT),
		nics: nic.New(opt.NICs),
		fib: fib.New(fib.Options{
			Kernel: opt.FIB, Protocols: opt.Protocols, Plain: opt.Plain, Adopt: opt.Adopt, Owns: owner.owns,
		}),
		shown: make(map[string]string), dead: make(map[string][]netip.Addr),
	}
	d.counters.Store(&Counters{})
	d.seen.Store(&[]tunnel.Status{})
	return d, nil
}

// Run keeps the kernel as wanted until ctx ends. It leaves the kernel as it is.
func (d *Dataplane) Run(ctx context.Context) error {
	defer close(d.done)
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error {
		return d.opt.Events.Watch(ctx, func(events []fib.Event) {
			d.box.put(func(in *input) { in.addEvents(events) })
		})
	})
	tasks.Go(func() error { return d.facts.deliver(ctx) })
	tasks.Go(func() error { return d.loop(ctx) })
	if err := tasks.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("data plane: %w", err)
	}
	return nil
}

// loop takes what waits, brings the kernel nearer to it, and sleeps until there
// is more to do.
func (d *Dataplane) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case call := <-d.calls:
			call()
		case <-d.box.wake:
		case <-timer.C:
		}
		now := time.Now()
		more := d.step(now)
		timer.Reset(d.sleep(now, more))
	}
}

// sleep is how long the loop may wait for something to happen.
func (d *Dataplane) sleep(now time.Time, more bool) time.Duration {
	if more {
		return 0
	}
	next := now.Add(d.opt.Scan)
	if d.wanted == nil || d.flushed {
		return d.opt.Scan
	}
	for _, at := range []time.Time{d.due.links, d.due.nics, d.due.nat, d.due.sysctls, d.due.compare, d.due.scan, d.fib.Next()} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return max(next.Sub(now), time.Millisecond)
}

// SetWanted replaces what the configuration asks for.
func (d *Dataplane) SetWanted(w Wanted) { d.box.put(func(in *input) { in.wanted = &w }) }

// UpdateRoutes changes the wanted routes. The changes are applied in one go with
// those that still wait; of several for one prefix the last counts.
func (d *Dataplane) UpdateRoutes(changes []fib.Change) {
	d.box.put(func(in *input) { in.addChanges(changes) })
}

// SetDead replaces the gateways that one of those who know, named by, holds for
// dead although their link is up. Routes through them are swapped to what remains
// of their next hops, or to their backup, before anything else is done; best paths
// may follow at leisure. It does not block; what it returns is closed once the
// groups are swapped, never if the data plane has stopped.
func (d *Dataplane) SetDead(by string, gateways []netip.Addr) <-chan struct{} {
	gateways = slices.Clone(gateways)
	swapped := make(chan struct{})
	d.box.put(func(in *input) {
		in.swapped = append(in.swapped, swapped)
		if in.dead == nil {
			in.dead = make(map[string][]netip.Addr)
		}
		in.dead[by] = gateways
	})
	return swapped
}

// InSync says that every route wanted after the start has been handed over: what
// is left of an earlier run may go.
func (d *Dataplane) InSync() { d.box.put(func(in *input) { in.inSync = true }) }

// Ready is closed once everything wanted first has been tried.
func (d *Dataplane) Ready() <-chan struct{} { return d.ready }

// Flush removes everything that is nvad's, routes first, then devices, then what guards
// them, puts sysctls back as they were, and stops wanting anything. It returns what
// could not be done.
func (d *Dataplane) Flush(ctx context.Context) error {
	var flushErr error
	err := d.call(ctx, func() {
		d.flushed = true
		// The guards of the tunnels outlive them.
		flushErr = errors.Join(d.fib.Flush(time.Now()), d.nics.Flush(), d.tunnels.Flush(), d.nat.Flush(), d.owner.forget(), d.restoreSysctls())
	})
	return errors.Join(err, flushErr)
}

// call runs fn in the loop, after what was handed over before.
func (d *Dataplane) call(ctx context.Context, fn func()) error {
	finished := make(chan struct{})
	select {
	case d.calls <- func() { d.take(d.box.take(), time.Now()); fn(); close(finished) }:
		<-finished
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.done:
		return errStopped
	}
}

var errStopped = errors.New("the data plane has stopped")
