// Package engine keeps the routing state. One goroutine takes the events of sessions,
// kernel and operator one at a time, updates the RIB, and hands the effects to the
// sessions and to the forwarding plane.
//
// It promises that no other goroutine sees the RIB: readers get copies. It does no
// I/O: sessions, forwarding plane, BFD, memory and clock are interfaces that it
// declares and the daemon provides.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

// Speaker runs the BGP sessions. Its methods do not block; a slow engine slows down
// the sessions through Events.
type Speaker interface {
	Events() <-chan speaker.Event
	// Prepare opens what Configure will need. An error leaves everything as it was.
	Prepare([]speaker.Neighbor, ...speaker.Range) error
	Configure([]speaker.Neighbor, ...speaker.Range)
	// Release gives up the place of a dynamic neighbor, kept since its last session ended.
	Release(peer netip.Addr, session uint64)
	Ranges() map[string]speaker.RangeStats // by group
	// Send does not keep changes.
	Send(peer netip.Addr, session uint64, changes []speaker.Change)
	SendEndOfRIB(peer netip.Addr, session uint64, family route.Family)
	// SetLimit sets how many prefixes of each family the neighbor accepts; 0: any
	// number.
	SetLimit(peer netip.Addr, session uint64, prefixes int)
	// RequestRefresh asks the neighbor to announce all routes of some families again
	// (RFC 2918). It does nothing if the session is over, or if the neighbor did not
	// announce the capability.
	RequestRefresh(peer netip.Addr, session uint64, families route.Family)
	// Reset ends a session, or does nothing if it is over. Session 0 stands for the
	// current one, even if it is not established yet.
	Reset(peer netip.Addr, session uint64, n speaker.Notification)
	// Restarted ends the role of the restarting speaker for future sessions.
	Restarted()
	Stats(netip.Addr) (speaker.Stats, bool)
}

// Forwarding is the forwarding plane. Its methods do not block: changes coalesce
// until they are applied.
type Forwarding interface {
	// UpdateRoutes changes which routes nvad wants in the kernel. It does not keep the slice.
	UpdateRoutes([]fib.Change)
	// SetDead replaces the gateways that one source, named by, knows to be dead, and
	// diverts the routes through them at once. The channel is closed when that is done.
	SetDead(by string, gateways []netip.Addr) (diverted <-chan struct{})
	// ProtectNeighbors replaces the addresses of dynamic neighbors, which no learned route
	// may divert.
	ProtectNeighbors([]netip.Addr)
	// InSync allows the deletion of routes left over from an earlier run.
	InSync()
}

// Options are the parts that an Engine works with.
type Options struct {
	Interner   *route.Interner
	Speaker    Speaker
	Forwarding Forwarding
	Liveness   Liveness   // nil: none
	Memory     Memory     // nil: no budget
	Watch      *watch.Hub // where changes are published; may be nil
	Log        *slog.Logger
	// Restarting says that the kernel still has the routes of an earlier run.
	// End-of-RIB is then sent only once the engine is in sync (RFC 4724 4.1).
	Restarting bool
}

// Engine is the routing state. Only the goroutine of [Engine.Run] touches it.
type Engine struct {
	opt        Options
	log        *slog.Logger
	calls      chan func()
	ended      chan struct{} // closed when Run has returned
	inbox      inbox
	kernel     fib.Facts // as taken from the inbox last
	rib        *rib.RIB
	cfg        *config.Config
	compiled   *compiled // cfg
	sources    sources
	protected  []netip.Addr // dynamic neighbors, as Forwarding was given them last
	configured bool         // cfg was applied
	origin     *origination
	local      []rib.Local // as the RIB was given last
	derived    derivation
	warnings   warnings
	neighbors  map[netip.Addr]*neighbor
	watched    []Watched // as Liveness was given last
	departures departures
	started    time.Time
	sync       syncGate
	memory     memoryGuard
	drains     drains
	previews   chan struct{} // holds one value while a preview runs
	changes    uint64        // number of changes of configuration and facts
	outcome    *outcome      // of the last reload; nil: there was none
	lists      route.Lists   // of prefixes, shared by readers of whole tables
	monitors   monitors
}

// Sizes of the engine's turns. A turn is short enough that a single change never
// waits long behind a large one, and long enough to be worth its overhead.
const (
	eventsPerTurn       = 256
	prefixesPerTurn     = 4096 // and one UPDATE more
	destinationsPerTurn = 2048
	tickInterval        = 250 * time.Millisecond
)

// New returns an Engine without configuration; see Apply.
func New(opt Options, cfg *config.Config) *Engine {
	return &Engine{
		opt:        opt,
		log:        opt.Log,
		calls:      make(chan func()),
		ended:      make(chan struct{}),
		inbox:      inbox{wake: make(chan struct{}, 1)},
		cfg:        &config.Config{},
		origin:     &origination{},
		neighbors:  map[netip.Addr]*neighbor{},
		departures: departures{forwarding: opt.Forwarding},
		drains:     drains{by: map[string]string{}},
		previews:   make(chan struct{}, 1),
		rib: rib.New(rib.Options{
			ASN: cfg.ASN, RouterID: cfg.RouterID, Metric: cfg.Kernel.Metric, Interner: opt.Interner, Forwarding: forwarding(cfg),
		}),
		started: time.Now(),
	}
}

// Run is the engine's goroutine. It returns when ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.ended)
	ticker := time.NewTicker(tickInterval)
	ticker.Stop()
	defer ticker.Stop()
	ticking := false
	for {
		e.rib.Observe(e.opt.Watch.Wants(watch.Routes))
		busy := e.rib.Flush(destinationsPerTurn)
		e.publish()
		walking := e.walkMonitors()
		if !busy {
			e.departures.clear()
			e.logWarnings()
		}
		e.followOutcome(time.Now(), busy)
		e.checkMemory(time.Now(), busy)
		if want := e.needsTicks(); want != ticking {
			if ticking = want; want {
				ticker.Reset(tickInterval)
			} else {
				ticker.Stop()
			}
		}
		if !e.turn(ctx, ticker.C, busy || walking) {
			return ctx.Err()
		}
	}
}

// turn handles what has arrived. Unless busy, it waits for the first thing. The bound
// keeps effects from waiting for a neighbor that never stops sending. It reports
// false when ctx or the sessions have ended.
func (e *Engine) turn(ctx context.Context, tick <-chan time.Time, busy bool) bool {
	if !busy {
		select {
		case <-ctx.Done():
			return false
		case ev, open := <-e.opt.Speaker.Events():
			if !open {
				return false
			}
			e.handle(ev)
		case f := <-e.calls:
			f()
		case <-e.inbox.wake:
			e.takeInbox()
		case <-tick:
			e.tick(time.Now())
		}
	}
	taken := 0
	for range eventsPerTurn {
		if taken >= prefixesPerTurn {
			break
		}
		select {
		case <-ctx.Done():
			return false
		case ev, open := <-e.opt.Speaker.Events():
			if !open {
				return false
			}
			if u, ok := ev.(speaker.Update); ok {
				taken += len(u.Announced) + len(u.Withdrawn)
			}
			e.handle(ev)
		case f := <-e.calls:
			f()
		case <-e.inbox.wake:
			e.takeInbox()
		case <-tick:
			e.tick(time.Now())
		default:
			return true
		}
	}
	return true
}

// publish hands on the effects of a turn.
func (e *Engine) publish() {
	eff := e.rib.Take()
	e.publishBest(eff.Best)
	if len(eff.FIB) > 0 {
		e.opt.Forwarding.UpdateRoutes(eff.FIB)
	}
	for _, a := range eff.Out {
		if n := e.neighbors[a.Peer]; n != nil && n.up != nil {
			e.opt.Speaker.Send(a.Peer, n.up.Session, a.Changes)
		}
	}
	e.rib.Release(eff)
	e.reportHeard()
	e.checkLimitsOut()
	e.checkAccepted()
}

// inbox is where other goroutines leave news for the engine without waiting for it.
type inbox struct {
	wake chan struct{} // holds one value while there may be news

	mu    sync.Mutex // guards the rest
	facts *fib.Facts
	dead  *[]netip.Addr
	lost  []lostPath // at most one each time that a session comes up

	monitors []Monitor // that begin
}

type lostPath struct {
	neighbor netip.Addr
	reason   string
}

func (b *inbox) put(f func()) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
	b.poke()
}

// poke wakes the engine.
func (b *inbox) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// SetFacts passes on what the kernel has; the latest call wins. It does not block.
func (e *Engine) SetFacts(f fib.Facts) { e.inbox.put(func() { e.inbox.facts = &f }) }

// SetDead replaces the gateways that BFD knows to be dead; static routes through them
// do not stand. The latest call wins. It does not block.
func (e *Engine) SetDead(gateways []netip.Addr) {
	e.inbox.put(func() { e.inbox.dead = &gateways })
}

// PathDown reports that BFD found the path to a neighbor dead. The engine resets the
// session and removes its routes, even those that graceful restart would keep. It
// does not block.
func (e *Engine) PathDown(neighbor netip.Addr, reason string) {
	e.inbox.put(func() { e.inbox.lost = append(e.inbox.lost, lostPath{neighbor, reason}) })
}

// MemoryLow makes the engine look at its memory budget, even if nothing else happens.
func (e *Engine) MemoryLow() { e.inbox.poke() }

func (e *Engine) takeInbox() {
	b := &e.inbox
	b.mu.Lock()
	facts, dead, lost, begin := b.facts, b.dead, b.lost, b.monitors
	b.facts, b.dead, b.lost, b.monitors = nil, nil, nil, nil
	b.mu.Unlock()
	for _, m := range begin {
		e.addMonitor(m)
	}
	for _, p := range lost {
		if n := e.neighbors[p.neighbor]; n != nil {
			e.losePath(n, p)
		}
	}
	if dead != nil {
		e.rib.SetDead(*dead)
		e.originate()
	}
	if facts != nil {
		e.kernel = *facts
		e.changes++
		e.rib.SetFacts(*facts)
		e.followSources()
		e.setStatics(false)
		e.originate()
		e.watch()
	}
}

// errEnded is the error of calls on an engine that has stopped.
var errEnded = errors.New("the engine has ended")

// do runs f on the engine's goroutine and waits for it. Once the engine has taken f,
// do waits for it even if ctx ends: f writes to variables of its caller.
func (e *Engine) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case e.calls <- func() { f(); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ended:
		return errEnded
	}
}

// settled waits until the RIB has decided about everything it knows now, then runs f
// on the engine's goroutine.
func (e *Engine) settled(ctx context.Context, f func()) error {
	done := make(chan struct{})
	err := e.do(ctx, func() {
		e.rib.Settled(func() {
			f()
			close(done)
		})
	})
	if err != nil {
		return err
	}
	return e.await(ctx, done)
}

func (e *Engine) await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ended:
		return errEnded
	}
}
