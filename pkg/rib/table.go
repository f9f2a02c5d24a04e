package rib

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Options are the settings of the RIB as a whole.
type Options struct {
	ASN      uint32
	RouterID netip.Addr
	MaxPaths int    // next hops of an ECMP route; 1 turns ECMP off
	Metric   uint32 // of routes in the kernel
	// ResolveDefault lets next hops resolve through the default route.
	ResolveDefault bool
	Interner       *route.Interner
}

// RIB is the routing table. The zero value is not usable, see [New].
type RIB struct {
	opt     Options
	peers   []*peer // by peerID; 0 is local
	byAddr  map[netip.Addr]*peer
	table   map[netip.Prefix]*dest
	all     []*dest // the values of table, for walks in a stable order
	dirty   backlog
	jobs    []*job
	under   underlay
	hops    hopSets
	routes  routeSets
	sums    []*aggregate
	drain   Drain
	refills []*peer // with room for what their limit has held back
	eff     Effects
	told    []*peer // neighbors with changes that Take is to return
	paths   int
	routed  int // destinations with a path: static routes alone have none
	work    scratch
	before  map[*dest]Choice // best paths ahead of the changes of a turn; nil: nobody watches
}

// Effects are what the outside must be told, in the order of the fields.
type Effects struct {
	FIB []fib.Change
	Out []Adverts
	// Best are the changes of best paths, if they are observed.
	Best []BestChange
}

// Adverts are changes of one neighbor's Adj-RIB-Out.
type Adverts struct {
	Peer    netip.Addr
	Changes []speaker.Change
}

// dest is everything about one prefix.
type dest struct {
	prefix netip.Prefix
	paths  []path // Adj-RIB-In: at most one for each neighbor
	out    []advert
	fib    *fib.Route // as last told to the forwarding plane; nil: none
	index  int32      // in RIB.all; -1 once removed
	best   int16      // in paths; -1: none
	// forward is the best learned path, whose next hops are the FIB's: what is
	// originated here takes no route out of the kernel; -1: none.
	forward int16
	dirty   bool
	adds    bool // counted by the aggregates that cover it
	step    Step // that decided between best and its runner-up
}

// path is a route as one neighbor announced it.
type path struct {
	received *route.Attrs // before policy
	accepted *route.Attrs // after policy; nil: rejected
	hop      *nextHop     // of accepted; nil: rejected
	extra    *extra       // rare values that policy set; nil: none
	at       uint32       // Unix time of receipt
	era      uint32       // of the import policy that was asked; see peer.era
	rule     policy.Rule  // that accepted or rejected
	peer     peerID
	reject   reject
	flags    flags
	source   route.Source
}

type flags uint8

const (
	flagStale     flags = 1 << iota // kept over the neighbor's restart
	flagMultipath                   // shares the FIB entry with the best path
)

type extra struct {
	weight, tag uint32
	source      netip.Addr // preferred source
}

// advert is one entry of an Adj-RIB-Out.
type advert struct {
	attrs *route.Attrs
	peer  peerID
}

// New returns an empty RIB.
func New(opt Options) *RIB {
	local := &peer{Peer: Peer{Weight: localWeight}, internal: true, up: false}
	return &RIB{
		opt:    opt,
		peers:  []*peer{local},
		byAddr: map[netip.Addr]*peer{},
		table:  map[netip.Prefix]*dest{},
		under:  newUnderlay(),
		hops:   hopSets{},
		routes: routeSets{},
	}
}

// Update applies one UPDATE of an established neighbor.
func (r *RIB) Update(u *speaker.Update, now time.Time) {
	p := r.byAddr[u.Peer]
	if p == nil {
		return
	}
	for _, prefix := range u.Withdrawn {
		if d := r.table[prefix]; d != nil {
			if i := d.find(p.id); i >= 0 {
				r.removePath(d, i, p)
			}
		}
	}
	if len(u.Announced) == 0 {
		return
	}
	pre := r.admit(p, u.Attrs)
	for _, prefix := range u.Announced {
		r.install(p, prefix, pre, now)
	}
}

func (r *RIB) dest(prefix netip.Prefix) *dest {
	d := r.table[prefix]
	if d == nil {
		d = &dest{prefix: prefix, best: -1, forward: -1, index: int32(len(r.all))}
		r.table[prefix] = d
		r.all = append(r.all, d)
	}
	return d
}

// drop removes a destination nothing refers to any more.
func (r *RIB) drop(d *dest) {
	last := r.all[len(r.all)-1]
	r.all[d.index], last.index = last, d.index
	r.all[len(r.all)-1] = nil
	r.all = r.all[:len(r.all)-1]
	d.index = -1
	delete(r.table, d.prefix)
}

// touch has d decided about. Whose change it is counts with the first one.
func (r *RIB) touch(d *dest, by peerID) {
	if !d.dirty {
		d.dirty = true
		r.dirty.add(by, d)
	}
}

// addPath puts pt beside the others.
func (r *RIB) addPath(d *dest, pt path) {
	if len(d.paths) == 0 {
		r.routed++
	}
	d.paths = append(d.paths, pt)
}

func (d *dest) find(id peerID) int {
	for i := range d.paths {
		if d.paths[i].peer == id {
			return i
		}
	}
	return -1
}

// removePath takes path i out; the destination is decided about later.
func (r *RIB) removePath(d *dest, i int, p *peer) {
	r.note(d)
	pt := &d.paths[i]
	r.uncount(d, p, pt)
	r.takeMore(p)
	r.under.release(pt.hop)
	d.paths = append(d.paths[:i], d.paths[i+1:]...)
	if len(d.paths) == 0 {
		r.routed--
	}
	d.best, d.forward = without(d.best, i), without(d.forward, i)
	r.touch(d, p.id)
}

// without is where path n is found once path i is gone; -1: nowhere.
func without(n int16, i int) int16 {
	switch {
	case int(n) == i:
		return -1
	case int(n) > i:
		return n - 1
	}
	return n
}

func (r *RIB) count(d *dest, p *peer, pt *path) {
	r.paths++
	p.holds.add(pt, 1)
	p.tallies.of(d).outcomes[pt.reject]++
	p.counts.Received++
	if pt.accepted != nil {
		p.counts.Accepted++
	}
	if pt.reject == byLimit {
		p.excess++
	}
}

func (r *RIB) uncount(d *dest, p *peer, pt *path) {
	r.paths--
	p.holds.add(pt, -1)
	p.tallies.of(d).outcomes[pt.reject]--
	p.counts.Received--
	if pt.accepted != nil {
		p.counts.Accepted--
	}
	if pt.flags&flagStale != 0 {
		p.counts.Stale--
	}
	if pt.reject == byLimit {
		p.excess--
	}
}

// Take returns the effects since the last call. The caller may keep them.
func (r *RIB) Take() Effects {
	e := r.eff
	r.eff = Effects{}
	for _, p := range r.told {
		e.Out = append(e.Out, Adverts{Peer: p.Address, Changes: p.changes})
		p.changes = nil
	}
	r.told = r.told[:0]
	return e
}

func (r *RIB) emit(p *peer, prefix netip.Prefix, attrs *route.Attrs) {
	if p.changes == nil {
		r.told = append(r.told, p)
	}
	p.changes = append(p.changes, speaker.Change{Prefix: prefix, Attrs: attrs})
}
