package engine

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

// Speaker is the BGP sessions, as the engine needs them. Its methods do not
// block. Events may push back on the sessions.
type Speaker interface {
	Events() <-chan speaker.Event
	// Prepare makes sure that Configure can be carried out. An error leaves all as it
	// was.
	Prepare([]speaker.Neighbor) error
	Configure([]speaker.Neighbor)
	Send(peer netip.Addr, session uint64, changes []speaker.Change)
	SendEndOfRIB(peer netip.Addr, session uint64, family route.Family)
	// SetLimit tells how many prefixes of each family the neighbor takes; 0: any
	// number.
	SetLimit(peer netip.Addr, session uint64, prefixes int)
	// RequestRefresh asks the neighbor of a session to announce all of some families
	// again (RFC 2918). It does nothing if that session is over, or if the neighbor
	// did not announce the capability.
	RequestRefresh(peer netip.Addr, session uint64, families route.Family)
	// Reset ends a session. If that one is over, it does nothing; session 0 is
	// whichever there is, also one that is not established yet.
	Reset(peer netip.Addr, session uint64, n speaker.Notification)
	// Restarted ends the restarting speaker's role in sessions to come.
	Restarted()
	Stats(netip.Addr) (speaker.Stats, bool)
}

// Forwarding is the forwarding plane, as the engine needs it. Its methods do
// not block: changes coalesce until they are applied.
type Forwarding interface {
	// UpdateRoutes changes what the kernel shall hold.
	UpdateRoutes([]fib.Change)
	// SetDead replaces the gateways that one who knows, named by, holds for dead:
	// routes through them are diverted at once. What it returns is closed when that
	// is done.
	SetDead(by string, gateways []netip.Addr) (diverted <-chan struct{})
	// InSync allows the deletion of routes left over from an earlier run.
	InSync()
}

// Options are what an Engine is made of.
type Options struct {
	Interner   *route.Interner
	Speaker    Speaker
	Forwarding Forwarding
	Liveness   Liveness   // nil: none
	Memory     Memory     // nil: there is no budget
	Watch      *watch.Hub // told what changes; nil: nobody
	Log        *slog.Logger
	// Restarting says that the kernel still holds the routes of an earlier run,
	// so that End-of-RIB leaves only once the engine is in sync (RFC 4724 4.1).
	Restarting bool
}

// Engine is the routing state and its one goroutine, [Engine.Run].
type Engine struct {
	opt        Options
	log        *slog.Logger
	calls      chan func()
	ended      chan struct{}                // closed when Run has returned
	facts      atomic.Pointer[fib.Facts]    // not taken yet
	kernel     fib.Facts                    // as taken last
	lost       lostPaths                    // not taken yet
	dead       atomic.Pointer[[]netip.Addr] // not taken yet
	wake       chan struct{}
	rib        *rib.RIB
	cfg        *config.Config
	configured bool // cfg was applied
	origin     *origination
	local      []rib.Local // as the RIB was told last
	derived    derivation
	cautions   []config.Warning // of the file
	noticed    symptoms
	warned     []config.Warning // logged for noticed
	neighbors  map[netip.Addr]*neighbor
	watched    []Watched    // as Liveness was told last
	departing  []netip.Addr // gateways of lost sessions whose routes are not decided anew yet
	diverts    diverts
	started    time.Time
	sync       syncGate
	memory     memoryGuard
	drains     map[string]string // why the NVA takes leave, by who wants it
	draining   time.Time         // since when; zero: it does not
	previews   chan struct{}     // has one while a preview is made
	changes    uint64            // of configuration and facts so far
	outcome    *aftermath        // of the last reload; nil: there was none
	lists      route.Lists       // of prefixes, lent to readers of whole tables
}

// Sizes of the engine's turns. A turn is short enough that a single change
// never waits long behind a large one, and long enough to be worth its
// overhead.
const (
	eventsPerTurn       = 256
	prefixesPerTurn     = 4096 // and one UPDATE more
	destinationsPerTurn = 2048
	tickInterval        = 250 * time.Millisecond
)

// New returns an Engine without configuration; see Apply.
func New(opt Options, cfg *config.Config) *Engine {
	return &Engine{
		opt:       opt,
		log:       opt.Log,
		calls:     make(chan func()),
		ended:     make(chan struct{}),
		wake:      make(chan struct{}, 1),
		cfg:       &config.Config{},
		origin:    &origination{},
		neighbors: map[netip.Addr]*neighbor{},
		drains:    map[string]string{},
		previews:  make(chan struct{}, 1),
		rib: rib.New(rib.Options{
			ASN: cfg.ASN, RouterID: cfg.RouterID, MaxPaths: cfg.Kernel.MaxPaths, Metric: cfg.Kernel.Metric,
			ResolveDefault: cfg.Kernel.ResolveDefault, Interner: opt.Interner,
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
		if !busy {
			e.departed()
			e.noteWarnings()
		}
		e.followUp(time.Now(), busy)
		e.checkMemory(time.Now(), busy)
		if want := e.needsTicks(); want != ticking {
			if ticking = want; want {
				ticker.Reset(tickInterval)
			} else {
				ticker.Stop()
			}
		}
		if !e.turn(ctx, ticker.C, busy) {
			return ctx.Err()
		}
	}
}

// turn waits for something unless busy, and takes all that is waiting. It
// reports false when ctx or the sessions have ended.
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
		case <-e.wake:
			e.takeLost()
			e.takeDead()
			e.takeFacts()
		case <-tick:
			e.tick(time.Now())
		}
	}
	return e.takeWaiting(ctx, tick)
}

// cost is how many prefixes an event has, which says how long it takes.
func cost(ev speaker.Event) int {
	if u, ok := ev.(speaker.Update); ok {
		return len(u.Announced) + len(u.Withdrawn)
	}
	return 0
}

// takeWaiting takes what is there, up to a bound: effects must not wait for a peer
// that never stops talking.
func (e *Engine) takeWaiting(ctx context.Context, tick <-chan time.Time) bool {
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
			taken += cost(ev)
			e.handle(ev)
		case f := <-e.calls:
			f()
		case <-e.wake:
			e.takeLost()
			e.takeDead()
			e.takeFacts()
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
	e.tellBest(eff.Best)
	if len(eff.FIB) > 0 {
		e.opt.Forwarding.UpdateRoutes(eff.FIB)
	}
	for _, a := range eff.Out {
		if n := e.neighbors[a.Peer]; n != nil && n.up != nil {
			e.opt.Speaker.Send(a.Peer, n.up.Session, a.Changes)
		}
	}
	e.checkLimitsOut()
}

// SetFacts tells what the kernel has; the latest call wins. It does not block.
func (e *Engine) SetFacts(f fib.Facts) {
	e.facts.Store(&f)
	e.poke()
}

// poke has the engine look at what others have put down for it.
func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *Engine) takeFacts() {
	if f := e.facts.Swap(nil); f != nil {
		e.kernel = *f
		e.changes++
		e.rib.SetFacts(*f)
		e.setStatics(false)
		e.originate()
		e.watch()
	}
}

// errEnded is the error of calls on an engine that does not run any more.
var errEnded = errors.New("the engine has ended")

// do runs f on the engine's goroutine and waits for it. Once the engine has taken f,
// do returns when f has, also if ctx ends: f writes to variables of its caller.
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
