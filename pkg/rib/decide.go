package rib

import (
	"cmp"
	"net/netip"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Step is a step of the decision process, numbered in its order.
type Step uint8

// Steps of the decision process (RFC 4271 9.1.2.2, with the customary weight
// and local origin before it).
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

// scratch is reused between destinations so that deciding allocates nothing.
type scratch struct {
	left  []int
	keys  []key
	hops  []fib.NextHop
	in    policy.Input
	route fib.Route
}

// key is what the steps compare of one path. Smaller is better in each field.
type key struct {
	neighborAS uint32
	med        uint32
	by         [StepAddress]uint64 // by Step; StepMED and StepAddress are apart
	peer       netip.Addr
	valid      bool
}

// decide chooses the best path of d and the paths that share its FIB entry.
func (r *RIB) decide(d *dest) {
	d.best, d.step = -1, StepOnly
	for i := range d.paths {
		d.paths[i].flags &^= flagMultipath
	}
	if len(d.paths) > 1 {
		d.best, d.step = r.choose(d)
	} else if len(d.paths) == 1 && d.paths[0].valid() { // by far the most frequent case
		d.best = 0
	}
}

// forwards returns the best path if its next hops are the FIB's; nil otherwise.
// Nothing is installed for what is originated here: the neighbor that taught the
// same prefix may originate it, too, and send the packets back.
func (d *dest) forwards() *path {
	if d.best < 0 || d.paths[d.best].source != route.SourceBGP {
		return nil
	}
	return &d.paths[d.best]
}

func (pt *path) valid() bool {
	return pt.accepted != nil && (pt.source != route.SourceBGP || pt.hop.hops != nil)
}

// choose returns the best of all paths and the step that decided; -1 if there is
// none.
func (r *RIB) choose(d *dest) (best int16, by Step) {
	left, keys := r.work.left[:0], r.work.keys[:0]
	for i := range d.paths {
		k := key{}
		if d.paths[i].valid() {
			k = r.key(&d.paths[i])
			left = append(left, i)
		}
		keys = append(keys, k)
	}
	r.work.left, r.work.keys = left, keys
	left = narrow(left, keys, func(s Step, left []int) {
		if s == StepMetric && r.opt.MaxPaths > 1 {
			r.markMultipath(d, left)
		}
		by = s
	})
	if len(left) == 0 {
		return -1, StepOnly
	}
	return int16(left[0]), by
}

// narrow takes step after step until one path is left. It calls after with what
// each step left. It reuses left's array.
func narrow(left []int, keys []key, after func(Step, []int)) []int {
	for s := StepWeight; s <= StepAddress && len(left) > 1; s++ {
		left = eliminate(left, keys, s)
		after(s, left)
	}
	return left
}

// localWeight makes what originates here win against what neighbors say of the
// same prefix, as in FRR.
const localWeight = 32768

// key gathers what the steps compare.
func (r *RIB) key(pt *path) key {
	a, p := pt.accepted, r.peers[pt.peer]
	k := key{valid: true, med: a.MED.Or(0), peer: p.Address}
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
	k.by[StepLocal] = flagBit(pt.source == route.SourceBGP)
	k.by[StepPathLength] = uint64(a.ASPath.Len())
	k.by[StepOrigin] = uint64(a.Origin)
	k.by[StepExternal] = flagBit(p.internal)
	if pt.hop != nil {
		k.by[StepMetric] = uint64(pt.hop.metric)
	}
	k.by[StepRouterID] = uint64(routerID(id))
	k.by[StepCluster] = uint64(len(a.ClusterList))
	return k
}

func flagBit(b bool) uint64 { return uint64(bit(b)) }

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
	better := func(a, b *key) int { return cmp.Compare(a.by[s], b.by[s]) }
	if s == StepAddress {
		better = func(a, b *key) int { return a.peer.Compare(b.peer) }
	}
	best := left[0]
	for _, i := range left[1:] {
		if better(&keys[i], &keys[best]) < 0 {
			best = i
		}
	}
	out := left[:0]
	for _, i := range left {
		if better(&keys[i], &keys[best]) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// eliminateMED removes paths for which another of the same neighboring AS has
// a lower MED. Groups are compared as wholes, so the order of arrival does not
// matter (RFC 4271 9.1.2.2 c).
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

// markMultipath flags the paths equal up to the metric that lead the same way as
// the first of them by address, which is not order of arrival.
func (r *RIB) markMultipath(d *dest, left []int) {
	if len(left) < 2 {
		return
	}
	first := left[0]
	for _, i := range left[1:] {
		if r.tieBreak(i, first) < 0 {
			first = i
		}
	}
	for _, i := range left {
		if r.sameWay(&d.paths[i], &d.paths[first]) {
			d.paths[i].flags |= flagMultipath
		}
	}
}

// sameWay reports whether traffic may be shared between two paths that are
// equally good: both through one neighboring AS, or of one AS_PATH within ours.
func (r *RIB) sameWay(a, b *path) bool {
	p, q := r.peers[a.peer], r.peers[b.peer]
	if !p.internal && !q.internal {
		return p.RemoteASN == q.RemoteASN
	}
	return a.accepted.ASPath.Equal(b.accepted.ASPath)
}

// tieBreak orders by the steps after the metric.
func (r *RIB) tieBreak(i, j int) int {
	a, b := &r.work.keys[i], &r.work.keys[j]
	return cmp.Or(
		cmp.Compare(a.by[StepRouterID], b.by[StepRouterID]),
		cmp.Compare(a.by[StepCluster], b.by[StepCluster]),
		a.peer.Compare(b.peer))
}
