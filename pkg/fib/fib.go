// Package fib keeps the kernel's routes and next-hop groups as wanted.
//
// Routes arrive by the hundred thousand, links come and go, other programs write to the same
// table, and nvad itself restarts: so the package compares what is wanted with what the
// kernel is believed to have, writes the difference, and reads the whole table now and then
// to correct its belief.
//
// Promises:
//   - What is wanted counts, not how it came about. A route of nvad's that another program
//     deletes or changes comes back. A route that is not nvad's is never touched.
//   - One route that fails holds up no other. It is tried again with growing pauses, and
//     shows why.
//   - A death of a link or a gateway costs one message for each next-hop group, however many
//     routes go through it (backup.go).
//   - What an earlier run left is adopted where it is still wanted, and deleted only once the
//     caller says that everything is in sync.
//   - No route may cut the NVA off from the addresses that it lives by (guard.go), or
//     displace a connected route or the operator's (rank.go, ADR 0013).
//
// A [FIB] belongs to one goroutine, the dataplane's loop, which also decides when to write. The
// package knows neither netlink, which package kernel speaks, nor BGP, nor policy.
package fib

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/retry"
)

// FirstID is the first of the idCount numbers that nvad gives to next-hop objects. It begins with
// the protocol number, so that `ip route` shows at a glance whose object a route refers to.
const (
	FirstID = 186_000_000
	idCount = 1_000_000
)

// Options of a [FIB]. Zero values take the defaults.
type Options struct {
	Kernel    Kernel
	Protocols Protocols

	// Plain forbids next-hop objects. If the kernel has none, the FIB gives them up by
	// itself.
	Plain bool
	// Adopt takes over every route with one of nvad's protocols, even if nothing shows
	// that nvad installed it.
	Adopt bool
	// Owns recognises routes without next-hop object that an earlier run installed; nil:
	// none.
	Owns func(KernelRoute) bool
}

// FIB holds what is wanted and what the kernel is believed to have.
type FIB struct {
	opt    Options
	plain  bool // routes are installed without next-hop objects
	mpath  bool // the kernel has no resilient groups
	inSync bool
	guard  guard
	rng    *rand.Rand

	// Routes, see slot.go.
	slots   map[netip.Prefix]*slot
	peak    int // of len(slots), since slots was last made anew
	refused map[netip.Prefix]refusal
	foreign map[routeKey][]KernelRoute // routes that are not nvad's
	failed  map[*slot]*retry.State
	dirty   []*slot // to be written
	doomed  []*slot // to be deleted
	stale   []*slot // of an earlier run: doomed once in sync
	ops     []Op    // room for a batch

	// Next-hop sets and the objects of the kernel, see sets.go and groups.go.
	sets   map[string]*hopSet
	last   *hopSet             // that intern returned: the next route has most likely the same one
	byID   map[uint32]*hopSet  // sets that have a group number
	bad    map[*hopSet]bool    // sets whose group must be written
	groups map[uint32][]Member // groups that the kernel has
	hops   map[NextHop]uint32  // hop objects that the kernel has
	spare  []uint32            // hop objects that repeat one of hops
	users  map[uint32]int      // routes in the kernel that refer to an object
	inUse  map[uint32]bool     // numbers of the range that are taken
	nextID uint32

	// Deaths, see backup.go.
	dead     map[netip.Addr]bool   // gateways, see SetDead; false: dead until all routes are written
	links    []Link                // of the last SetLinks
	up       map[int]bool          // links that are up; nil: not known yet
	deaths   bool                  // dead or up changed since the groups were compared with them
	fallen   map[netip.Addr]string // gateways whose links are down, with the name of the link
	gateways []GatewayChange       // since GatewayChanges was called
	rejoin   *retry.State          // of connected routes that could not be put back

	round       uint32    // of full compares
	retryAt     time.Time // of the first failed object; zero: none
	applied     bool      // wanted routes changed since moveGroups ran
	sweepDue    bool      // there may be objects that nothing uses
	doubted     bool      // a group must be written again before anything else
	needResync  bool
	ranks       map[netip.Prefix]KernelRoute // routes that outrank BGP's, as of the last judgeAnew
	news        bool                         // foreign routes changed since Foreign was called
	judgeDue    bool                         // judgeAnew has something to do
	before      map[*slot]Transition         // changes under way; nil: nobody watches
	transitions []Transition

	count    Counters
	repaired string // the first of repairs
	repairs  int    // since Repairs was called
}

// New returns a FIB that wants no routes and knows nothing of the kernel yet: call
// [FIB.Resync] first.
func New(opt Options) *FIB {
	if opt.Protocols == (Protocols{}) {
		opt.Protocols = DefaultProtocols
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
		fallen:  make(map[netip.Addr]string),
		hops:    make(map[NextHop]uint32),
		users:   make(map[uint32]int),
		inUse:   make(map[uint32]bool),
	}
}

// Apply changes what is wanted. [FIB.Sync] writes it.
func (f *FIB) Apply(changes []Change, now time.Time) {
	f.applied = true
	for _, c := range changes {
		f.judgeDue = f.guard.setStatic(c) || f.judgeDue
		f.place(c.Prefix, c.Route, now)
	}
}

// place puts a wanted route into the slots of its prefix, unless there is an objection to
// it. A nil r means that none is wanted.
func (f *FIB) place(prefix netip.Prefix, r *Route, now time.Time) {
	was := f.refused[prefix]
	f.letIn(prefix)
	if r != nil {
		if state, why := f.objection(prefix, r); why != "" {
			f.keepOut(prefix, refusal{route: r, state: state, reason: why, since: now})
			if was.reason != why && !f.installed(prefix) { // otherwise once that is removed
				f.reportRefused(prefix, f.refused[prefix])
			}
			if state == Outranked {
				f.cede(prefix)
			}
			r = nil
		}
	} else if was.route != nil {
		f.reportUnwanted(prefix, was)
	}
	second := r != nil && len(r.Backup) > 0 && f.secondRoutes()
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
		var standby []NextHop
		if !f.secondRoutes() {
			standby = backupInGroup(hops, canonical(r.Backup, s.prefix))
		}
		set = f.intern(hops, standby)
	}
	f.setWant(s, r, set, backup, now)
}

// cede deletes what an earlier run left for a prefix at once, without waiting for sync. A
// route of another program outranks it, and has no effect as long as it is there.
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

// Protect sets the addresses that no route may divert, and whether a route of class BGP
// may be a default route.
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

// SetLinks replaces the known links. [FIB.Swap] then acts on those that went down or came
// up. Everything that failed is tried again at once: a link is the likeliest cause
// and cure of a failure.
func (f *FIB) SetLinks(links []Link, now time.Time) {
	f.deaths = true
	was := f.up
	f.up = make(map[int]bool, len(links))
	for _, l := range links {
		f.up[l.Index] = l.Up
	}
	for index, up := range was {
		if up && !f.up[index] {
			f.linkFell(index)
		}
	}
	f.linksRose(links)
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

// InSync says that everything wanted after the start has been applied: what is left of an
// earlier run may go. Routes that this run installed go without it as soon as they are not
// wanted any more.
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

// Next returns when [FIB.Sync] has something to try again; zero if nothing failed.
func (f *FIB) Next() time.Time { return f.retryAt }

// NeedResync reports that an answer or an event of the kernel contradicts what it is
// believed to have: call [FIB.Resync] soon.
func (f *FIB) NeedResync() bool { return f.needResync }

func (f *FIB) retryBy(t time.Time) {
	if f.retryAt.IsZero() || t.Before(f.retryAt) {
		f.retryAt = t
	}
}

func isUnsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
