package rib

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
)

// locRIB is the Loc-RIB: it chooses the best path of each destination and its backup, and
// counts what contributes to aggregates (originate.go).
type locRIB struct {
	opt   *Options
	peers *peers
	work  scratch

	locals  map[netip.Prefix]bool // that this router originates, without aggregates
	sums    []*aggregate
	sumsGen uint32 // generation of sums; see dest.adds
}

// scratch is reused from one destination to the next, so that a decision allocates nothing.
type scratch struct {
	left  []int
	keys  []key
	hops  []fib.NextHop
	route fib.Route
}

// Step is a step of the decision process. The steps are numbered in their order.
type Step uint8

// Steps of the decision process (RFC 4271 9.1.2.2, with the customary weight and local
// origin before it).
const (
	StepOnly       Step = iota // there is no other valid path
	StepWeight                 // highest weight
	StepLocalPref              // highest LOCAL_PREF
	StepLocal                  // originated here
	StepPathLength             // shortest AS_PATH
	StepOrigin                 // lowest ORIGIN
	StepMED                    // lowest MED among paths of one neighboring AS
	StepExternal               // eBGP over iBGP
	StepMetric                 // lowest metric to the next hop
	StepRouterID               // lowest BGP Identifier, or ORIGINATOR_ID (RFC 4456 9)
	StepCluster                // shortest CLUSTER_LIST (RFC 4456 9)
	StepAddress                // lowest neighbor address
)

var stepNames = [...]string{
	"only path", "weight", "local preference", "local origin", "AS path length", "origin", "MED",
	"eBGP over iBGP", "metric to next hop", "router ID", "cluster list length", "neighbor address",
}

// String is the step in the words of tables.
func (s Step) String() string { return stepNames[s] }

// key contains the values of one path that the steps compare. Smaller is better in each field.
type key struct {
	neighborAS uint32
	med        uint32
	by         [StepAddress]uint64 // by Step; StepMED and StepAddress have fields of their own
	peer       netip.Addr
}

// decide chooses the best path of d, and the paths that share its FIB entry. Floating is
// the distance of the floating static route that stands for d's prefix, 0 if none does.
func (s *locRIB) decide(d *dest, floating uint8) {
	d.best, d.step = -1, StepOnly
	for i := range d.paths {
		d.paths[i].flags &^= flagMultipath | flagAside
	}
	if floating != 0 && len(d.paths) > 1 {
		s.setAside(d, floating)
	}
	if len(d.paths) > 1 {
		d.best, d.step = s.choose(d)
	} else if len(d.paths) == 1 && d.paths[0].valid() { // by far the most frequent case
		d.best = 0
	}
}

func (pt *path) valid() bool {
	if pt.source != route.SourceBGP {
		return pt.flags&flagAside == 0
	}
	return pt.accepted != nil && pt.hop.hops != nil
}

// setAside leaves out of the decision the route that this router originates because of a
// floating static route, if a neighbor's route takes the place of that static route. It
// would win otherwise, by its weight, so that no BGP route were installed, and the static
// route would stay although it is the worse one.
func (s *locRIB) setAside(d *dest, floating uint8) {
	i := d.find(0)
	if i < 0 || d.paths[i].flags&flagFloats == 0 {
		return
	}
	d.paths[i].flags |= flagAside
	if d.best, _ = s.choose(d); s.distance(d) >= floating {
		d.paths[i].flags &^= flagAside
	}
	for i := range d.paths {
		d.paths[i].flags &^= flagMultipath
	}
}

// distance returns the administrative distance of the BGP route for d; more than any route
// has if there is none, or if the forwarding plane does not take it.
func (s *locRIB) distance(d *dest) uint8 {
	switch best := d.forwards(); {
	case best == nil, d.prefix.Bits() == 0 && !s.opt.AllowDefault:
		return math.MaxUint8
	case s.peers.of(best).internal:
		return fib.DistanceIBGP
	}
	return fib.DistanceEBGP
}

// choose returns the best of all paths and the step that decided; -1 if there is none.
func (s *locRIB) choose(d *dest) (best int16, by Step) {
	left, keys := s.contestants(d, (*path).valid)
	left = narrow(left, keys, func(step Step, left []int) {
		if step == StepMetric && s.opt.MaxPaths > 1 {
			s.markMultipath(d, left, keys)
		}
		by = step
	})
	if len(left) == 0 {
		return -1, StepOnly
	}
	return int16(left[0]), by
}

// contestants returns the indexes of the paths that take part, and the keys of all paths
// by index. Both are valid until the next call.
func (s *locRIB) contestants(d *dest, takesPart func(*path) bool) (left []int, keys []key) {
	left, keys = s.work.left[:0], s.work.keys[:0]
	for i := range d.paths {
		k := key{}
		if takesPart(&d.paths[i]) {
			k = s.key(&d.paths[i])
			left = append(left, i)
		}
		keys = append(keys, k)
	}
	s.work.left, s.work.keys = left, keys
	return left, keys
}

// narrow takes step after step until one path is left, and calls after with what each step
// left. It reuses left's array.
func narrow(left []int, keys []key, after func(Step, []int)) []int {
	for s := StepWeight; s <= StepAddress && len(left) > 1; s++ {
		left = eliminate(left, keys, s)
		after(s, left)
	}
	return left
}

// localWeight makes routes that originate here win against what neighbors announce of the
// same prefix, as in FRR.
const localWeight = 32768

// key gathers what the steps compare.
func (s *locRIB) key(pt *path) key {
	a, p := pt.accepted, s.peers.of(pt)
	k := key{med: a.MED.Or(0), peer: p.Address}
	k.neighborAS, _ = a.ASPath.First()
	weight, id := p.Weight, p.RemoteID
	if pt.extra != nil {
		weight = pt.extra.weight
	}
	if a.OriginatorID.IsValid() {
		id = a.OriginatorID
	}
	k.by[StepWeight] = ^uint64(weight)
	k.by[StepLocalPref] = ^uint64(a.LocalPref.Or(100))
	k.by[StepLocal] = uint64(bit(pt.source == route.SourceBGP))
	k.by[StepPathLength] = uint64(a.ASPath.Len())
	k.by[StepOrigin] = uint64(a.Origin)
	k.by[StepExternal] = uint64(bit(p.internal))
	if pt.hop != nil {
		k.by[StepMetric] = uint64(pt.hop.metric)
	}
	k.by[StepRouterID] = uint64(routerID(id))
	k.by[StepCluster] = uint64(len(a.ClusterList))
	return k
}

func routerID(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// eliminate keeps the paths that are best by step s. It reuses left's array.
func eliminate(left []int, keys []key, s Step) []int {
	if s == StepMED {
		return eliminateMED(left, keys)
	}
	compare := func(a, b *key) int { return cmp.Compare(a.by[s], b.by[s]) }
	if s == StepAddress {
		compare = func(a, b *key) int { return a.peer.Compare(b.peer) }
	}
	best := left[0]
	for _, i := range left[1:] {
		if compare(&keys[i], &keys[best]) < 0 {
			best = i
		}
	}
	out := left[:0]
	for _, i := range left {
		if compare(&keys[i], &keys[best]) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// eliminateMED removes each path for which another one of the same neighboring AS has a
// lower MED (RFC 4271 9.1.2.2 c). MEDs of different ASes do not compare, so comparing
// paths in pairs would give a result that depends on their order: a may beat b by MED, b
// beat c by a later step, and c beat a. Here every path is held against the whole group of
// its AS at once, so the order of arrival makes no difference.
func eliminateMED(left []int, keys []key) []int {
	beaten := func(i int) bool {
		for _, j := range left {
			if keys[j].neighborAS == keys[i].neighborAS && keys[j].med < keys[i].med {
				return true
			}
		}
		return false
	}
	var out []int
	for _, i := range left {
		if !beaten(i) {
			out = append(out, i)
		}
	}
	return append(left[:0], out...)
}

// markMultipath flags the paths that are equal up to the metric, and lead the same way as
// the one of them that the later steps prefer. Which paths share traffic so does not
// depend on the order of arrival.
func (s *locRIB) markMultipath(d *dest, left []int, keys []key) {
	if len(left) < 2 {
		return
	}
	first := left[0]
	for _, i := range left[1:] {
		if tieBreak(&keys[i], &keys[first]) < 0 {
			first = i
		}
	}
	for _, i := range left {
		if s.sameWay(&d.paths[i], &d.paths[first]) {
			d.paths[i].flags |= flagMultipath
		}
	}
}

// tieBreak orders by the steps after the metric.
func tieBreak(a, b *key) int {
	return cmp.Or(
		cmp.Compare(a.by[StepRouterID], b.by[StepRouterID]),
		cmp.Compare(a.by[StepCluster], b.by[StepCluster]),
		a.peer.Compare(b.peer))
}

// sameWay reports whether traffic may be shared between two equally good paths: both come
// from one neighboring AS or, over iBGP, both have the same AS_PATH. With MultipathRelax,
// AS_PATHs of the same length are enough.
func (s *locRIB) sameWay(a, b *path) bool {
	if s.opt.MultipathRelax {
		return true
	}
	p, q := s.peers.of(a), s.peers.of(b)
	if !p.internal && !q.internal {
		return p.RemoteASN == q.RemoteASN
	}
	return a.accepted.ASPath.Equal(b.accepted.ASPath)
}

// forwards returns the best path if its next hops are the FIB's, otherwise nil. Nothing is
// installed for a prefix that is originated here: a neighbor that announces the same prefix
// may originate it as well, and would send the packets back.
func (d *dest) forwards() *path {
	if d.best < 0 || d.paths[d.best].source != route.SourceBGP {
		return nil
	}
	return &d.paths[d.best]
}

// forwarding returns the kernel route for d by its best paths, nil if there is none. It is
// valid until the next call.
func (s *locRIB) forwarding(d *dest) *fib.Route {
	best := d.forwards()
	if best == nil {
		return nil
	}
	out := &s.work.route
	*out = fib.Route{Class: fib.BGP, Metric: s.opt.Metric}
	if slices.Contains(best.accepted.Communities, route.Blackhole) {
		out.Kind = fib.Blackhole
	} else {
		out.Hops = s.bestHops(d)
		out.Backup = s.backupHops(d, out.Hops)
	}
	if best.extra != nil {
		out.Source = best.extra.source
	}
	return out
}

// bestHops joins the next hops of all multipath paths. Both instances of a Route Server
// resolve to the same gateway, and become one.
func (s *locRIB) bestHops(d *dest) []fib.NextHop {
	hops := s.work.hops[:0]
	n := 0
	for i := range d.paths {
		if i == int(d.best) || d.paths[i].flags&flagMultipath != 0 {
			hops = append(hops, d.paths[i].hop.hops...)
			n++
		}
	}
	s.work.hops = hops
	if n > 1 {
		hops = fib.SortHops(hops)
	}
	if len(hops) > s.opt.MaxPaths {
		hops = hops[:s.opt.MaxPaths]
	}
	return hops
}

// backupHops returns how d is reached if every next hop of its route dies: the next hops of
// the best path that needs none of them; nil if there is none. The backup is chosen with
// each decision, ahead of any failure, and the kernel holds it in the next-hop group of the
// route. If a gateway dies, one message per group then diverts all of its routes, however
// many there are, and the decisions about them follow at leisure (ADR 0006).
func (s *locRIB) backupHops(d *dest, primary []fib.NextHop) []fib.NextHop {
	if len(d.paths) < 2 {
		return nil
	}
	left, keys := s.contestants(d, func(pt *path) bool { return pt.bypasses(primary) })
	if len(left) == 0 {
		return nil
	}
	left = narrow(left, keys, func(Step, []int) {})
	return d.paths[left[0]].hop.hops
}

// bypasses reports whether traffic through pt takes none of hops.
func (pt *path) bypasses(hops []fib.NextHop) bool {
	if pt.source != route.SourceBGP || !pt.valid() || slices.Contains(pt.accepted.Communities, route.Blackhole) {
		return false
	}
	return !slices.ContainsFunc(pt.hop.hops, func(h fib.NextHop) bool { return slices.Contains(hops, h) })
}
