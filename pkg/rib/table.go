package rib

import (
	"net/netip"
	"slices"
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
	opt       Options
	peers     []*peer // by peerID; 0 is local
	byAddr    map[netip.Addr]*peer
	table     map[netip.Prefix]*dest
	all       []*dest // every destination, for walks; see walk for the order
	most      int     // destinations since table was made
	dirty     backlog
	under     underlay
	routes    routeSets
	locals    map[netip.Prefix]bool // originated, but for aggregates
	sums      []*aggregate
	sumsGen   uint32 // of sums; see dest.adds
	drain     Drain
	refills   []*peer // with room for what their limit has held back
	eff       Effects
	told      []*peer // neighbors with changes that Take is to return
	paths     int
	usable    int // of paths: those that policy let in
	routed    int // destinations with such a path
	installed int // destinations with a route in the forwarding plane
	work      scratch
	watched   bool                   // best paths are reported
	before    trimmed[*dest, Choice] // best paths ahead of the changes of a turn
	journal   *journal               // of what changes; nil: nobody asks

	walks      []*peer                // whose walk is not over, in their order; not the table's
	lap        uint64                 // walks of the table so far
	outgrown   map[netip.Prefix]*dest // what table is to replace; nil: nothing
	unsettled  []func()               // see Settled: called after the next walk of the table
	settling   []func()               // called after this one
	retracks   uint32                 // changes of the underlay so far
	retracking uint32                 // those that this walk of the table is for
	retracked  uint32                 // those that walks of the table are over for
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
	fib    *planned // as last told to the forwarding plane; nil: none
	index  int32    // in RIB.all; -1 once removed
	best   int16    // in paths; -1: none
	adds   uint32   // RIB.sumsGen of the aggregates that count it; 0: none does
	queued uint32   // places it has in the backlog
	by     peerID   // in whose queue the latest is
	usable uint16   // of paths: those that policy let in
	dirty  bool     // to be decided about
	step   Step     // that decided between best and its runner-up
}

// path is a route as one neighbor announced it.
type path struct {
	received *route.Attrs // before policy
	accepted *route.Attrs // after policy; nil: rejected
	hop      *nextHop     // of accepted; nil: rejected
	extra    *extra       // rare values that policy set; nil: none
	at       uint32       // Unix time of receipt
	era      uint32       // in which it was brought up to date last; see history
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
	epoch uint32 // of the session it was sent in; see peer.epoch
	peer  peerID
}

// New returns an empty RIB.
func New(opt Options) *RIB {
	local := &peer{Peer: Peer{SourceSettings: SourceSettings{Weight: localWeight}}, internal: true, up: false}
	return &RIB{
		opt:     opt,
		peers:   []*peer{local},
		byAddr:  map[netip.Addr]*peer{},
		table:   map[netip.Prefix]*dest{},
		under:   newUnderlay(),
		sumsGen: 1,
	}
}

// Update applies one UPDATE of an established neighbor.
func (r *RIB) Update(u *speaker.Update, now time.Time) {
	p := r.byAddr[u.Peer]
	if p == nil {
		return
	}
	for _, prefix := range u.Withdrawn {
		if d := r.find(prefix); d != nil {
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

// find returns the destination of prefix, nil if there is none.
func (r *RIB) find(prefix netip.Prefix) *dest {
	if d := r.table[prefix]; d != nil || r.outgrown == nil {
		return d
	}
	return r.outgrown[prefix]
}

// look is find for readers, who are not to see what is gone.
func (r *RIB) look(prefix netip.Prefix) *dest {
	d := r.find(prefix)
	if d == nil {
		return nil
	}
	for i := len(d.paths) - 1; i >= 0; i-- {
		if p := r.peers[d.paths[i].peer]; p.isGone(&d.paths[i], d.family()) {
			r.cut(d, i, p)
			r.touch(d, p.id)
		}
	}
	return d
}

func (r *RIB) dest(prefix netip.Prefix) *dest {
	d := r.find(prefix)
	if d == nil {
		d = newDest(prefix)
		d.index = int32(len(r.all))
		r.table[prefix] = d
		r.all = append(r.all, d)
		r.most = max(r.most, len(r.all))
	}
	return d
}

func newDest(prefix netip.Prefix) *dest {
	return &dest{prefix: prefix, best: -1, index: -1}
}

// drop removes a destination nothing refers to any more. The last one takes its
// place in all, as walks require.
func (r *RIB) drop(d *dest) {
	last := r.all[len(r.all)-1]
	r.all[d.index], last.index = last, d.index
	r.all[len(r.all)-1] = nil
	r.all = r.all[:len(r.all)-1]
	d.index = -1
	delete(r.table, d.prefix)
	delete(r.outgrown, d.prefix)
	if shrinks(len(r.all), cap(r.all)) {
		r.all = fitted(r.all)
	}
	if shrinks(len(r.all), r.most) {
		r.most = len(r.all)
		r.request(r.peers[0], moves)
	}
}

// family is the index of d's family in what is kept by family.
func (d *dest) family() int {
	if d.prefix.Addr().Is4() {
		return 0
	}
	return 1
}

// addPath puts pt beside the others.
func (d *dest) addPath(pt path) { d.paths = append(d.paths, pt) }

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
	r.cut(d, i, p)
	r.takeMore(p)
	r.touch(d, p.id)
}

// cut takes path i out of a destination that is about to be decided about.
func (r *RIB) cut(d *dest, i int, p *peer) {
	r.note(d)
	pt := &d.paths[i]
	r.uncount(d, p, pt)
	r.under.release(pt.hop)
	d.paths = fitted(slices.Delete(d.paths, i, i+1))
	d.best = without(d.best, i)
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

// Take returns the effects since the last call. The caller may keep them.
func (r *RIB) Take() Effects {
	e := r.eff
	r.eff = Effects{}
	for _, p := range r.told {
		if p.changes != nil {
			e.Out = append(e.Out, Adverts{Peer: p.Address, Changes: p.changes})
			p.changes = nil
		}
	}
	r.told = fitted(r.told[:0])
	return e
}

func (r *RIB) emit(p *peer, c speaker.Change) {
	if p.changes == nil {
		r.told = append(r.told, p)
	}
	p.changes = append(p.changes, c)
}
