// Package dataplane keeps the kernel as the configuration and the routing decisions want it:
// tunnels, rules of NICs, NAT, sysctls, next-hop groups and routes.
//
// Each of packages tunnel, nic, nat and fib compares one part of the kernel with what is
// wanted. One loop runs them all, in an order in which each finds what it needs: links
// before routes, guards before the tunnels that they guard, and the reverse when
// things are removed.
//
// Promises: only the latest wish counts, and handing it over never blocks. Events of the
// kernel only say where to look; a full compare every scan interval finds what gave no
// event. One object that fails holds up no other. Nothing of an earlier run is deleted
// before [Dataplane.InSync]. Every repair of what another program did is counted and logged.
//
// The loop owns all state of packages fib, tunnel, nat and nic. It knows neither BGP nor
// netlink: package kernel implements its interfaces.
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
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

// Sysctls reads and writes settings by their names in sysctl(8)'s form.
type Sysctls interface {
	Get(name string) (string, error)
	Set(name, value string) error
}

// Events reports what other programs change. Watch calls fn until ctx ends, and begins with
// what changed since the value was made.
type Events interface {
	Watch(ctx context.Context, fn func([]fib.Event)) error
}

// Options of a [Dataplane]. The first six are required.
type Options struct {
	FIB     fib.Kernel
	Tunnels tunnel.Kernel
	NAT     nat.Kernel
	NICs    nic.Kernel
	Sysctls Sysctls
	Events  Events

	Log       *slog.Logger    // nil: none
	Protocols fib.Protocols   // zero: fib.DefaultProtocols
	Plain     bool            // routes without next-hop objects
	Adopt     bool            // take over routes with nvad's protocols, whoever installed them
	Scan      time.Duration   // between full compares; 0: DefaultScan
	OnFacts   func(fib.Facts) // gets the latest facts, in a goroutine of its own; nil: nobody

	Watch *watch.Hub // gets what changes in the kernel; nil: nobody

	// StateFile remembers across restarts which routes without next-hop object are
	// nvad's. It counts only as long as Namespace is the same. Empty: such routes are
	// not recognised.
	StateFile string
	// SysctlFile remembers across restarts, in the same way, what sysctls were before
	// nvad set them. Empty: that is forgotten at the end.
	SysctlFile string
	Namespace  string // identifies boot and network namespace
}

// DefaultScan is the time between two full compares.
const DefaultScan = 30 * time.Second

// Wanted has everything that the configuration asks for, except for routes.
type Wanted struct {
	Tunnels      []tunnel.Tunnel
	NAT          nat.Rules
	NICs         []nic.NIC
	Sysctls      map[string]string
	Protected    []fib.Protected
	AllowDefault bool // a route of class BGP may be a default route
	DefaultAlone bool // but only while no other program has one
	Displace     bool // see fib.FIB.SetDisplace
}

// Counters are totals since the start.
type Counters struct {
	fib.Counters
	TunnelRepairs uint64
	NATRepairs    uint64
	NICRepairs    uint64
	SysctlRepairs uint64
	Events        uint64 // of the kernel
	LostEvents    uint64 // times that the kernel dropped events
}

// Dataplane is the loop, its state, and what others hand over to it and read of it.
type Dataplane struct {
	opt      Options
	log      *slog.Logger
	box      *inbox
	calls    chan func()
	done     chan struct{} // closed when the loop has ended
	ready    chan struct{}
	once     sync.Once // closes ready
	counters atomic.Pointer[Counters]
	seen     atomic.Pointer[[]tunnel.Status] // tunnels after the last step
	facts    factsBox
	lists    route.Lists // of prefixes, for readers of all routes

	// The rest belongs to the loop.
	fib      *fib.FIB
	tunnels  *tunnel.Manager
	nat      *nat.Manager
	nics     *nic.Manager
	owner    *ownership
	settings *settings
	wanted   *Wanted
	guarded  []nat.Overlay // tunnels with rules in the NAT table
	links    []fib.Link    // nil: not read yet
	routes   []fib.KernelRoute
	due      due
	logged   telemetry.Throttle // faults and states, by object
	total    Counters
	flushed  bool

	dead     map[string][]netip.Addr // gateways, by observer
	dynamic  []fib.Protected         // neighbors
	linkDied bool                    // fib.LinkDown was called: SetLinks must follow, even if the link is back already
}

// New returns a data plane that touches nothing before [Dataplane.Run] and the first
// [Dataplane.SetWanted].
func New(opt Options) (*Dataplane, error) {
	if opt.Scan == 0 {
		opt.Scan = DefaultScan
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	owner, err := readOwnership(opt.StateFile, opt.Namespace)
	if err != nil {
		opt.Log.Warn("plain routes of an earlier run cannot be recognised", "reason", err)
	}
	settings, err := readSettings(opt.SysctlFile, opt.Namespace)
	if err != nil {
		opt.Log.Warn("sysctls that an earlier run set will not be restored", "reason", err)
	}
	d := &Dataplane{
		opt: opt, log: opt.Log, box: newInbox(), owner: owner, settings: settings,
		calls: make(chan func()), done: make(chan struct{}), ready: make(chan struct{}),
		facts: factsBox{opt.OnFacts, make(chan fib.Facts, 1)}, tunnels: tunnel.New(opt.Tunnels), nat: nat.New(opt.NAT),
		nics: nic.New(opt.NICs),
		fib: fib.New(fib.Options{
			Kernel: opt.FIB, Protocols: opt.Protocols, Plain: opt.Plain, Adopt: opt.Adopt, Owns: owner.owns,
		}),
		dead: make(map[string][]netip.Addr),
	}
	d.counters.Store(&Counters{})
	d.seen.Store(&[]tunnel.Status{})
	return d, nil
}

// Run keeps the kernel as wanted until ctx ends. It then leaves everything in place.
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

// loop does one step after the other, and sleeps while there is nothing to do.
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

// sleep returns how long the loop may wait if nothing happens.
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

// UpdateRoutes changes the wanted routes. The loop applies them together with those that still
// wait; the last change of a prefix counts. It does not block.
func (d *Dataplane) UpdateRoutes(changes []fib.Change) {
	d.box.put(func(in *input) { in.addChanges(changes) })
}

// SetDead replaces the gateways that one observer, named by, considers dead although their
// link is up. Before anything else, the loop swaps the groups with these gateways to
// their remaining next hops or to their backup; best paths can follow at leisure. SetDead
// does not block. The returned channel is closed once the groups are swapped, and never
// if the data plane has stopped.
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

// ProtectNeighbors replaces the addresses of dynamic neighbors, which are protected like
// those of [Wanted]. It does not block.
func (d *Dataplane) ProtectNeighbors(list []netip.Addr) {
	protected := make([]fib.Protected, 0, len(list))
	for _, a := range list {
		protected = append(protected, fib.Protected{Addr: a, Why: "neighbor " + a.String(), Neighbor: true})
	}
	d.box.put(func(in *input) { in.neighbors = &protected })
}

// InSync says that every route wanted after the start has been handed over: what is left of
// an earlier run may go.
func (d *Dataplane) InSync() { d.box.put(func(in *input) { in.inSync = true }) }

// Ready returns a channel that is closed once everything wanted at first was tried.
func (d *Dataplane) Ready() <-chan struct{} { return d.ready }

// Flush removes everything of nvad's from the kernel, restores sysctls, and stops wanting
// anything. It returns what could not be done.
func (d *Dataplane) Flush(ctx context.Context) error {
	var flushErr error
	err := d.call(ctx, func() {
		d.flushed = true
		// Routes go before devices, and devices before the rules that guard them.
		flushErr = errors.Join(d.fib.Flush(time.Now()), d.nics.Flush(), d.tunnels.Flush(), d.nat.Flush(), d.owner.forget(), d.restoreSysctls())
	})
	return errors.Join(err, flushErr)
}

// call runs fn in the loop, after everything that was handed over before.
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
