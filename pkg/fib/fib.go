package fib

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/retry"
)

// IDRange is the range of next-hop object numbers that are nvad's.
type IDRange struct{ First, Count uint32 }

// DefaultIDs begins with the protocol number, so that `ip route` tells at a
// glance whose object a route refers to.
var DefaultIDs = IDRange{First: 186_000_000, Count: 1_000_000}

// Options of a [FIB]. Zero values take the defaults.
type Options struct {
	Kernel    Kernel
	Protocols Protocols
	IDs       IDRange

	// Plain forbids next-hop objects. They are given up by themselves where
	// the kernel has none.
	Plain bool
	// Adopt takes over every route that has one of nvad's protocols, even if
	// nothing shows that nvad installed it.
	Adopt bool
	// Owns recognises routes without next-hop object that an earlier run
	// installed; nil: none.
	Owns func(KernelRoute) bool
}

// FIB is the state of package fib. It belongs to one goroutine.
type FIB struct {
	opt    Options
	plain  bool
	mpath  bool // the kernel has no resilient groups
	inSync bool
	guard  guard
	rng    *rand.Rand

	slots   map[netip.Prefix]*slot
	refused map[netip.Prefix]refusal
	foreign map[routeKey][]KernelRoute
	failed  map[*slot]*retry.State
	dirty   []*slot
	doomed  []*slot
	stale   []*slot // of an earlier run, doomed once in sync

	sets   map[string]*hopSet
	last   *hopSet             // that was asked for
	byID   map[uint32]*hopSet  // sets that have a group number
	bad    map[*hopSet]bool    // sets whose group is to be written
	dead   map[netip.Addr]bool // gateways, see SetDead; false: until all routes are written
	links  []Link              // as SetLinks told
	rejoin *retry.State        // of connected routes that could not be put back; nil: none
	up     map[int]bool        // links that are up; nil: not told yet
	deaths bool                // one of the two changed since the groups were matched
	groups map[uint32][]Member // groups that the kernel has
	hops   map[NextHop]uint32  // hop objects that the kernel has
	spare  []uint32            // hop objects beside an equal one of hops
	users  map[uint32]int      // slots that hold a route with this object
	inUse  map[uint32]bool     // numbers of the range that are not free
	nextID uint32

	round       uint32    // of full compares
	retryAt     time.Time // of the first failed object; zero: none
	applied     bool      // wanted routes changed since the groups were matched
	sweepDue    bool
	doubted     bool // a group is to be written again before anything else
	needResync  bool
	ranks       map[netip.Prefix]KernelRoute // see above, as of the last judgeAnew
	news        bool                         // foreign routes changed since they were read
	judgeDue    bool                         // and since routes were judged by them
	before      map[*slot]Transition         // what changes, as it was; nil: nobody watches
	transitions []Transition

	count    Counters
	repaired string
	repairs  int
}

// New returns a FIB that wants no routes and knows nothing of the kernel yet:
// call [FIB.Resync] first.
func New(opt Options) *FIB {
	if opt.Protocols == (Protocols{}) {
		opt.Protocols = DefaultProtocols
	}
	if opt.IDs == (IDRange{}) {
		opt.IDs = DefaultIDs
	}
	return &FIB{
		opt:     opt,
		plain:   opt.Plain,
		rng:     rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		slots:   make(map[netip.Prefix]*slot),
		refused: make(map[netip.Prefix]refusal),
		foreign: make(map[routeKey][]KernelRoute),
		failed:  make(map[*slot]*retry.State),
		sets:    make(map[string]*hopSet),
		byID:    make(map[uint32]*hopSet),
		bad:     make(map[*hopSet]bool),
		groups:  make(map[uint32][]Member),
		dead:    make(map[netip.Addr]bool),
		hops:    make(map[NextHop]uint32),
		users:   make(map[uint32]int),
		inUse:   make(map[uint32]bool),
	}
}

// Apply changes what is wanted. Nothing is written before [FIB.Sync].
func (f *FIB) Apply(changes []Change, now time.Time) {
	f.applied = true
	for _, c := range changes {
		f.judgeDue = f.guard.setStatic(c) || f.judgeDue
		f.place(c.Prefix, c.Route, now)
	}
}

// place wants a route, or none, in the slots of its prefix, unless there is an
// objection to it.
func (f *FIB) place(prefix netip.Prefix, r *Route, now time.Time) {
	was := f.refused[prefix]
	f.letIn(prefix)
	if r != nil {
		if state, why := f.objection(prefix, r); why != "" {
			f.keepOut(prefix, refusal{route: r, state: state, reason: why, since: now})
			if was.reason != why {
				f.reportRefused(prefix, f.refused[prefix])
			}
			if state == Outranked {
				f.cede(prefix)
			}
			r = nil
		}
	}
	second := r != nil && len(r.Backup) > 0 && f.ownRoute()
	for s := f.slots[prefix]; s != nil; s = s.next {
		keep := r != nil && (s.metric == r.Metric || s.metric == r.Metric+1 && second)
		if s.want != nil && !keep {
			f.setWant(s, nil, nil, false, now)
		}
	}
	if r == nil {
		return
	}
	f.wantIn(f.slotOf(prefix, r.Metric), r, r.Hops, false, now)
	if second {
		f.wantIn(f.slotOf(prefix, r.Metric+1), r, r.Backup, true, now)
	}
}

func (f *FIB) wantIn(s *slot, r *Route, hops []NextHop, backup bool, now time.Time) {
	var set *hopSet
	if r.Kind == Unicast {
		hops = canonical(hops, s.prefix)
		set = f.intern(hops, f.standby(s.prefix, r, hops))
	}
	f.setWant(s, r, set, backup, now)
}

// standby is what the group of a route holds beside its hops.
func (f *FIB) standby(prefix netip.Prefix, r *Route, hops []NextHop) []NextHop {
	if f.ownRoute() {
		return nil
	}
	return bridge(hops, canonical(r.Backup, prefix))
}

// cede has what an earlier run left for a prefix removed at once: another route,
// which stands above it, is without effect until then.
func (f *FIB) cede(prefix netip.Prefix) {
	for s := f.slots[prefix]; s != nil; s = s.next {
		if s.ours = true; s.want == nil {
			f.queue(s)
		}
	}
}

// wantedAt returns the wanted route of a prefix, refused or not.
func (f *FIB) wantedAt(prefix netip.Prefix) *Route {
	if r, ok := f.refused[prefix]; ok {
		return r.route
	}
	for s := f.slots[prefix]; s != nil; s = s.next {
		if s.want != nil {
			return s.want
		}
	}
	return nil
}

// Protect sets the addresses that no route may lead astray, and whether routes
// of class BGP may be a default route.
func (f *FIB) Protect(list []Protected, allowDefault bool, now time.Time) {
	old := f.guard.cover
	f.guard.protect(list, allowDefault)
	for prefix := range old {
		if _, still := f.guard.cover[prefix]; !still {
			if r, ok := f.refused[prefix]; ok {
				f.place(prefix, r.route, now)
			}
		}
	}
	f.judgeDue = true
}

// SetLinks tells the guard the names of the links, and which are up, and makes
// everything that failed due again: what a link did is the likeliest cause and
// cure. [FIB.Swap] acts on what is up.
func (f *FIB) SetLinks(links []Link, now time.Time) {
	f.deaths = true
	f.up = make(map[int]bool, len(links))
	for _, l := range links {
		f.up[l.Index] = l.Up
	}
	f.guard.setLinks(links)
	f.links, f.rejoin = links, nil
	f.judgeDue = true
	for _, b := range f.failed {
		b.At = now
	}
	for s := range f.bad {
		if s.fail != nil {
			s.fail.At = now
		}
	}
	if len(f.failed)+len(f.bad) > 0 {
		f.retryBy(now)
	}
}

// InSync says that everything wanted after the start has been applied: what is
// left of an earlier run goes. What this run has installed and wants no more
// goes without it.
func (f *FIB) InSync() {
	f.inSync = true
	for _, s := range f.stale {
		if s.list == stale {
			s.list = none
			f.queue(s)
		}
	}
	f.stale = nil
	f.sweepDue = true
}

// Next is when [FIB.Sync] has something to try again; zero if nothing waits.
func (f *FIB) Next() time.Time { return f.retryAt }

// NeedResync reports that the kernel answered or said something that the
// believed state does not explain: [FIB.Resync] is due.
func (f *FIB) NeedResync() bool { return f.needResync }

func (f *FIB) retryBy(t time.Time) {
	if f.retryAt.IsZero() || t.Before(f.retryAt) {
		f.retryAt = t
	}
}

func isUnsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
