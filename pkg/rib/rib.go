// Package rib holds the routing table, and decides what the kernel and each
// neighbor are given (RFC 4271 sections 3.2 and 9).
//
// A route passes four stages. Each is a type with its own state:
//
//	stage             type    what it does                                        files
//	Adj-RIB-In        adjIn   checks, import policy, maximum-prefix               adjin*.go, maxprefix_in.go
//	Loc-RIB           locRIB  best and backup path, aggregates                    locrib.go, originate.go
//	forwarding plane  plan    the route for the kernel                            plan.go
//	Adj-RIB-Out       adjOut  export policy, attributes sent, maximum-prefix-out  adjout*.go, maxprefix_out.go
//
// A stage returns what it found, and calls no other stage. [RIB] carries the values
// from one to the next: [RIB.Update] and the setters feed the Adj-RIB-In and queue each
// destination that changed, and [RIB.Flush] takes the queued ones through the other
// stages, a few of each neighbor's in turn (turns.go, walk.go). The stages share what
// they only look up: the table of destinations, the neighbors, and the underlay, which
// resolves next hops.
//
// One destination per prefix carries everything about it: the paths received, before
// and after import policy, the best one, what each neighbor was sent, what the
// forwarding plane has. So a change costs one look-up, and what was sent is
// remembered, never recomputed.
//
// Promise: the same inputs end in the same tables, in whatever order they came. A
// million changes block neither the caller nor another neighbor's single change.
//
// The caller's goroutine owns all state. The package has no clock, lock, log or I/O;
// time is an argument. Sessions belong to pkg/speaker, events to pkg/engine, the kernel
// to pkg/fib.
package rib

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Options are the settings of the RIB as a whole.
type Options struct {
	ASN      uint32
	RouterID netip.Addr
	Metric   uint32 // of BGP routes in the kernel
	Interner *route.Interner
	Forwarding
}

// Forwarding says how next hops resolve, and which of them a route has.
type Forwarding struct {
	MaxPaths       int  // next hops of an ECMP route; 1 turns ECMP off
	MultipathRelax bool // paths through different neighboring ASes may share traffic
	ResolveDefault bool // next hops may resolve through the default route
	AllowDefault   bool // the forwarding plane takes default routes learned by BGP
}

// RIB is the routing table. The zero value is not usable, see [New].
type RIB struct {
	opt   Options
	peers peers
	table table
	under underlay
	seen  observer

	in   adjIn
	loc  locRIB
	plan plan
	out  adjOut

	queue backlog
	walks agenda
}

// Effects are changes for the outside. They are carried out in the order of the fields.
type Effects struct {
	FIB []fib.Change
	Out []Adverts
	// Best are the changes of best paths, while they are observed.
	Best []BestChange
}

// Adverts are changes of one neighbor's Adj-RIB-Out.
type Adverts struct {
	Peer    netip.Addr
	Changes []speaker.Change
}

// New returns an empty RIB.
func New(opt Options) *RIB {
	local := &peer{Peer: Peer{SourceSettings: SourceSettings{Weight: localWeight}}, internal: true}
	r := &RIB{
		opt:   opt,
		peers: peers{byID: []*peer{local}, byAddr: map[netip.Addr]*peer{}},
		table: table{dests: map[netip.Prefix]*dest{}},
	}
	r.under = newUnderlay(&r.opt)
	r.seen = observer{peers: &r.peers}
	r.in = adjIn{opt: &r.opt, peers: &r.peers, hops: &r.under, seen: &r.seen}
	r.loc = locRIB{opt: &r.opt, peers: &r.peers, sumsGen: 1}
	r.out = adjOut{opt: &r.opt, peers: &r.peers, under: &r.under, seen: &r.seen}
	return r
}

// Update applies one UPDATE of an established neighbor.
func (r *RIB) Update(u *speaker.Update, now time.Time) {
	p := r.peers.byAddr[u.Peer]
	if p == nil {
		return
	}
	for _, prefix := range u.Withdrawn {
		if d := r.table.find(prefix); d != nil && r.in.withdraw(d, p) {
			r.touch(d, p.id)
		}
	}
	if len(u.Withdrawn) > 0 {
		r.takeMore(p)
	}
	if len(u.Announced) == 0 {
		return
	}
	pre := r.in.admit(p, u.Attrs)
	for _, prefix := range u.Announced {
		if p.keepsNoMore() && r.drops(p, prefix, pre) {
			continue
		}
		if d := r.table.get(prefix); r.in.install(d, p, pre, now) {
			r.touch(d, p.id)
		}
	}
	if p.MaxRejected > 0 {
		r.takeMore(p) // an accepted path that is rejected now makes room
	}
}

// touch queues d for a new decision, charged to the neighbor that changed it first. If
// another neighbor changes it too and has few destinations queued, d is queued for that
// one as well. Otherwise a neighbor could announce whatever others announce, and have
// their changes wait behind all of its own.
func (r *RIB) touch(d *dest, by peerID) {
	d.dirty = true
	if d.queued > 0 && (d.by == by || !r.queue.hasFew(by)) {
		return
	}
	d.queued++
	d.by = by
	r.queue.add(by, d)
}

// settle takes d through all stages, and passes on what changed.
func (r *RIB) settle(d *dest) {
	r.seen.note(d)
	r.in.renew(d)
	d.dirty = false
	r.under.contest(d)
	r.decide(d)
	r.seen.compare(d)
	r.aggregate(d)
	r.plan.put(d, r.target(d))
	hidden := r.loc.suppressed(d)
	for _, p := range r.peers.byID {
		if p != nil && p.up {
			r.out.advertise(d, p, hidden)
		}
	}
	r.dropUnused(d)
}

// decide chooses the best path of d.
func (r *RIB) decide(d *dest) {
	floating := uint8(0)
	if len(r.under.floating) > 0 {
		if s := r.under.standing(d.prefix); s != nil && s.Floats() {
			floating = s.Distance
		}
	}
	r.loc.decide(d, floating)
}

// target returns what the forwarding plane is to hold for d: of the static route that
// stands and the route by the best paths, the one with the lower distance. If that is
// BGP's and it has no backup, the static route is the backup. The target is valid until
// the next call.
func (r *RIB) target(d *dest) target {
	s := r.under.standing(d.prefix)
	if s != nil && s.Distance <= r.loc.distance(d) {
		return target{static: s.route}
	}
	bgp := r.loc.forwarding(d)
	if s != nil && len(bgp.Backup) == 0 {
		bgp.Backup = bypass(s.route, bgp.Hops)
	}
	return target{bgp: bgp}
}

// export returns what p is to be sent of d, before its maximum-prefix-out.
func (r *RIB) export(d *dest, p *peer) exported {
	return r.out.export(d, p, r.loc.suppressed(d))
}

// dropUnused removes d from the table if nothing refers to it. A destination in the
// backlog stays until it has left, so the backlog never outgrows the table.
func (r *RIB) dropUnused(d *dest) {
	if d.index < 0 || d.queued > 0 || d.dirty || len(d.paths) > 0 || len(d.out) > 0 || d.fib != nil ||
		len(r.under.statics[d.prefix]) > 0 || r.peers.needDefault(d.prefix) {
		return
	}
	if r.table.drop(d) {
		r.requestAll(moves)
	}
}

// Take returns the effects since the last call. The caller may keep them.
func (r *RIB) Take() Effects {
	return Effects{FIB: r.plan.take(), Out: r.out.take(), Best: r.seen.take()}
}

// Release gives back the slices of effects, for those of later turns. The caller must not
// have kept any.
func (r *RIB) Release(e Effects) {
	r.plan.spare.put(e.FIB)
	for _, a := range e.Out {
		r.out.spare.put(a.Changes)
	}
}

// SetFacts replaces what is known of the kernel's links and routes. Paths whose next
// hop is reached in another way are decided again by the following Flushes.
func (r *RIB) SetFacts(f fib.Facts) {
	before := map[*peer]netip.Addr{}
	for _, p := range r.peers.byAddr {
		before[p] = r.out.otherSelf(p)
	}
	r.under.setFacts(f)
	r.out.forgetWire() // it contains next hops of this router
	r.rebuildUnderlay()
	for p, was := range before {
		if p.up && r.out.otherSelf(p) != was {
			r.walks.request(p, offers)
		}
	}
}

// SetStatics replaces the static routes. Of several for one prefix, those with the lowest
// distance and metric that are reachable are installed, and the next ones are their backup.
// In the kernel, a static route is preferred to BGP unless its distance is higher than that
// of the BGP route. Next hops resolve through static routes, see [underlay.carries].
func (r *RIB) SetStatics(list []Static) {
	for prefix := range r.under.statics {
		r.touch(r.table.get(prefix), 0)
	}
	r.under.setStatics(list)
	r.rebuildUnderlay()
}

// SetDead replaces the gateways that are known not to forward although their link is
// up. Static routes through them are not installed.
func (r *RIB) SetDead(gateways []netip.Addr) {
	if r.under.setDead(gateways) {
		r.rebuildUnderlay()
	}
}

// SetForwarding changes how next hops resolve, and which of them a route has. The
// following Flushes decide every destination again.
func (r *RIB) SetForwarding(f Forwarding) {
	old := r.opt.Forwarding
	if old == f {
		return
	}
	r.opt.Forwarding = f
	if old.ResolveDefault != f.ResolveDefault || old.MaxPaths != f.MaxPaths {
		r.rebuildUnderlay()
	}
	r.requestAll(decides)
}

// rebuildUnderlay resolves static routes and next hops again, and queues what follows.
func (r *RIB) rebuildUnderlay() {
	moved := r.under.rebuild()
	for _, prefix := range r.under.staticPrefixes() {
		r.touch(r.table.get(prefix), 0)
	}
	if moved {
		r.requestAll(reroutes)
	}
}

// SetDrain changes how this router's routes are advertised during a drain. The following
// Flushes replace what every neighbor was sent. Nothing is withdrawn first: a destination
// would be gone until the next announcement, and Azure's VNets dampen such changes.
func (r *RIB) SetDrain(d Drain) {
	if r.out.drain == d {
		return
	}
	r.out.drain = d
	r.out.forgetWire()
	r.requestAll(offers)
}
