package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Explanation is the story of one prefix: what was received and accepted, what was decided,
// what was advertised. Policies run again for it, by the Programs in force. While a change
// of policy is being worked off, the tables may contain another outcome; the Explanation
// says so.
type Explanation struct {
	Prefix    netip.Prefix
	Known     bool         // there is a path, a static route or an originated default
	Covering  netip.Prefix // the longest less specific one with a route; invalid: none
	Undecided bool         // something changed that is not decided yet
	Paths     []PathStory  // the best first, then by neighbor
	Exports   []Export     // by neighbor
	Route     *fib.Route   // in the forwarding plane; nil: none
	NoRoute   string       // why Route is nil
	Statics   []StaticStory
}

// StaticStory says what became of one next hop of a static route for the prefix.
type StaticStory struct {
	Static
	InUse bool   // the route in the forwarding plane has it
	Why   string // it is not in use, or what it is preferred to; may be empty
}

// PathStory is the story of one path.
type PathStory struct {
	Path
	PeerGroup  string
	Checks     []Check       // before policy; only the last can have failed
	Steps      []policy.Step // of import policy; nil if a check failed
	Evaluated  *route.Attrs  // outcome of checks and policy now; nil: rejected
	Differs    bool          // the table does not contain that outcome yet
	Via        []string      // how the next hop is reached: "via 10.0.0.1 dev eth0"
	Metric     uint32        // to the next hop
	Unresolved string        // why the next hop is not reached
	Lost       *Comparison   // against the best path; nil if it is that, or not valid
}

// Check is one of the checks before import policy.
type Check struct {
	Name   string
	Value  string // what it looked at
	Passed bool
}

// Comparison shows how a path lost against the best one.
type Comparison struct {
	Step     Step       // that decided
	Best     netip.Addr // neighbor of the best path; invalid: local
	Beaten   netip.Addr // neighbor of the path that beat it at StepMED, if not Best
	RunnerUp bool       // it lost last of all
	Rows     []Compared // steps up to the deciding one
}

// Compared is one step with the values of both paths.
type Compared struct {
	Step        Step
	Best, Other string
}

// Export shows what one neighbor is sent of a prefix, and why.
type Export struct {
	Neighbor   netip.Addr
	PeerGroup  string
	Sent       *route.Attrs  // what it was sent; nil: nothing
	Evaluated  *route.Attrs  // what it would be sent now; nil: nothing
	Rule       string        // of export policy that decided; empty if it did not run
	Held       string        // why nothing is to be sent
	Steps      []policy.Step // of export policy; nil if it did not run
	Differs    bool          // Sent is not yet what was evaluated
	Originated bool          // it is sent a default route of its own (default-originate)
}

// ExplainQuery selects what of a prefix is explained. An invalid address selects every
// neighbor.
type ExplainQuery struct {
	Prefix   netip.Prefix
	Neighbor netip.Addr // whose path
	ExportTo netip.Addr // to whom it is sent
}

// Explain returns the story of a prefix.
func (r *RIB) Explain(q ExplainQuery) Explanation {
	x := Explanation{Prefix: q.Prefix, Covering: r.covering(q.Prefix)}
	d := r.look(q.Prefix)
	if d == nil {
		x.NoRoute = noneAnnounced
		return x
	}
	x.Undecided = d.dirty
	if d.fib != nil {
		x.Route = &d.fib.Route
	} else {
		x.NoRoute = r.noRoute(d)
	}
	x.Statics = r.staticStories(d)
	x.Paths = r.pathStories(d, q.Neighbor)
	x.Exports = r.exports(d, q.ExportTo)
	x.Known = len(d.paths) > 0 || len(r.under.statics[q.Prefix]) > 0 ||
		slices.ContainsFunc(x.Exports, func(e Export) bool { return e.Originated })
	return x
}

// covering returns the longest less specific prefix that has a route, or is originated here.
func (r *RIB) covering(p netip.Prefix) netip.Prefix {
	for bits := p.Bits() - 1; bits >= 0; bits-- {
		less := netip.PrefixFrom(p.Addr(), bits).Masked()
		if d := r.table.find(less); d != nil && (d.best >= 0 || d.fib != nil) {
			return less
		}
	}
	return netip.Prefix{}
}

// learnedCover returns the longest prefix with a best path from a neighbor that contains addr;
// invalid if there is none but a default route.
func (r *RIB) learnedCover(addr netip.Addr) netip.Prefix {
	for bits := addr.BitLen(); bits > 0; bits-- {
		p := netip.PrefixFrom(addr, bits).Masked()
		if d := r.table.find(p); d != nil && d.best >= 0 && d.paths[d.best].source == route.SourceBGP {
			return p
		}
	}
	return netip.Prefix{}
}

const noneAnnounced = "no neighbor has announced it"

// noRoute says why the forwarding plane has no route for d.
func (r *RIB) noRoute(d *dest) string {
	accepted := slices.ContainsFunc(d.paths, func(p path) bool { return p.accepted != nil })
	switch {
	case d.best >= 0 && d.paths[d.best].source != route.SourceBGP:
		return "originated here: no route for it is put in the kernel, and packets follow more or less specific ones"
	case d.best >= 0:
		return "not decided yet"
	case accepted:
		return "the next hop of no accepted path is reached"
	case len(d.paths) > 0:
		return "no path was accepted"
	}
	return r.under.whyNotStatic(d.prefix)
}

// pathStories explains all paths of d, or of the one from a neighbor.
func (r *RIB) pathStories(d *dest, from netip.Addr) []PathStory {
	c := r.loc.contest(d)
	var out []PathStory
	for i := range d.paths {
		if p := r.peers.of(&d.paths[i]); from.IsValid() && p.Address != from {
			continue
		}
		s := r.pathStory(d, i)
		s.Lost = r.loc.comparison(d, c, i)
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b PathStory) int {
		if a.Best != b.Best {
			return 1 - 2*int(bit(a.Best))
		}
		return a.Neighbor.Compare(b.Neighbor)
	})
	return out
}

func (r *RIB) pathStory(d *dest, i int) PathStory {
	pt := &d.paths[i]
	s := PathStory{Path: r.view(d, i), Evaluated: pt.accepted}
	if pt.source == route.SourceBGP {
		r.in.evaluateAgain(&s, d, pt)
	}
	if pt.flags&flagAside != 0 {
		s.Unresolved = "it is originated because of a static route, which gives way to BGP"
	}
	if pt.hop != nil {
		s.Metric = pt.hop.metric
		for _, h := range pt.hop.hops {
			s.Via = append(s.Via, r.under.hopText(h))
		}
		if pt.hop.hops == nil {
			s.Unresolved = r.under.whyUnresolved(pt.hop.addr, r.learnedCover(pt.hop.addr))
		}
	}
	return s
}

// staticStories explains the static routes for d's prefix, the preferred one first.
func (r *RIB) staticStories(d *dest) (out []StaticStory) {
	standing := r.under.standing(d.prefix)
	bgp, best := "", d.forwards()
	if best != nil {
		bgp = fmt.Sprintf("BGP's route from %s has distance %d", r.peers.of(best).Address, r.loc.distance(d))
	}
	for _, s := range r.under.statics[d.prefix] {
		x := StaticStory{Static: s.Static, Why: bgp}
		switch {
		case s.route == nil:
			x.Why = strings.TrimPrefix("static route"+r.under.whyNoWay(s), "static route: ")
		case s.rank(&standing.Static) != 0:
			x.Why = fmt.Sprintf("the static route with distance %d and metric %d is preferred", standing.Distance, standing.Metric)
		default:
			x.InUse = s.Distance <= r.loc.distance(d)
		}
		out = append(out, x)
	}
	return out
}

// evaluateAgain runs checks and import policy over what was received, and compares the
// outcome with the one in the table.
func (s *adjIn) evaluateAgain(x *PathStory, d *dest, pt *path) {
	p := s.peers.of(pt)
	x.PeerGroup = p.Group
	pre := s.admit(p, pt.received)
	pre.reject = checkPrefix(d.prefix, pre.reject)
	if pt.reject == byLimit {
		pre.reject = byLimit // whether there is room now is for the next change to find out
	}
	x.Checks = p.checks(pt.received, pre.reject)
	now := path{received: pt.received, peer: pt.peer, reject: pre.reject}
	if pre.reject == accepted {
		var out policy.Output
		out, x.Steps = p.Import.Trace(s.importInput(d.prefix, p, pre.attrs))
		s.conclude(&now, p, pre.attrs, &out)
	}
	x.Evaluated = now.accepted
	x.Rule = p.rejectReason(&now) // pt.rule may be of a Program that is gone
	x.Differs = now.accepted != pt.accepted || !sameExtra(now.extra, pt.extra)
}

// contest is the decision process written down.
type contest struct {
	keys   []key // by path
	lost   []Step
	beat   []int // the path that beat it
	runner int   // -1: none
}

// contest decides d again, and writes down at which step each path lost.
func (s *locRIB) contest(d *dest) *contest {
	n := len(d.paths)
	c := &contest{keys: make([]key, n), lost: make([]Step, n), beat: make([]int, n), runner: -1}
	left, keys := s.contestants(d, (*path).valid)
	copy(c.keys, keys)
	before, last := slices.Clone(left), []int(nil)
	narrow(left, c.keys, func(s Step, now []int) {
		gone := slices.DeleteFunc(slices.Clone(before), func(i int) bool { return slices.Contains(now, i) })
		for _, i := range gone {
			c.lost[i], c.beat[i] = s, c.winner(i, now, s)
		}
		if len(gone) > 0 {
			last = gone
		}
		before = slices.Clone(now)
	})
	if second := narrow(last, c.keys, func(Step, []int) {}); len(second) > 0 {
		c.runner = second[0]
	}
	return c
}

// winner returns the path of now that beat path i at step s. MED is compared only within a
// neighboring AS, every other step compares with all.
func (c *contest) winner(i int, now []int, s Step) int {
	for _, j := range now {
		if s != StepMED || c.keys[j].neighborAS == c.keys[i].neighborAS {
			return j
		}
	}
	return now[0]
}

// comparison shows how path i lost; nil if it is the best or not valid.
func (s *locRIB) comparison(d *dest, c *contest, i int) *Comparison {
	if d.best < 0 || i == int(d.best) || c.lost[i] == StepOnly {
		return nil
	}
	best := int(d.best)
	out := &Comparison{Step: c.lost[i], Best: s.peers.of(&d.paths[best]).Address, RunnerUp: i == c.runner}
	if c.lost[i] == StepMED && c.keys[best].neighborAS != c.keys[i].neighborAS {
		best = c.beat[i]
		out.Beaten = s.peers.of(&d.paths[best]).Address
	}
	for step := StepWeight; step <= c.lost[i]; step++ {
		out.Rows = append(out.Rows, Compared{step, c.keys[best].text(step), c.keys[i].text(step)})
	}
	return out
}

// text is the value that step s compares, in words.
func (k *key) text(s Step) string {
	v := k.by[min(s, StepAddress-1)]
	switch s {
	case StepWeight, StepLocalPref:
		return strconv.FormatUint(^v, 10)
	case StepLocal:
		return [...]string{"local", "learned"}[v]
	case StepOrigin:
		return route.Origin(v).String()
	case StepMED:
		return fmt.Sprintf("%d (AS %d)", k.med, k.neighborAS)
	case StepExternal:
		return [...]string{"eBGP", "iBGP"}[v]
	case StepRouterID:
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}).String()
	case StepAddress:
		return k.peer.String()
	}
	return strconv.FormatUint(v, 10)
}

// exports explains what all neighbors are sent of d, or one of them.
func (r *RIB) exports(d *dest, to netip.Addr) []Export {
	var out []Export
	for _, p := range r.peers.byID[1:] {
		if p != nil && (!to.IsValid() || p.Address == to) {
			out = append(out, r.exportStory(d, p))
		}
	}
	slices.SortFunc(out, func(a, b Export) int { return a.Neighbor.Compare(b.Neighbor) })
	return out
}

func (r *RIB) exportStory(d *dest, p *peer) Export {
	x := Export{Neighbor: p.Address, PeerGroup: p.Group, Sent: d.sent(p)}
	if !p.up {
		x.Held = "the session is not established"
		return x
	}
	now := r.limited(d, p)
	x.Evaluated, x.Differs = now.attrs, now.attrs != x.Sent
	if now.hold != sent {
		x.Held = p.holdReason(d, now.hold, now.rule)
	}
	if now.rule != 0 {
		r.out.traceExport(&x, d, p, now.rule)
	}
	if now.hold == exportPolicy {
		x.Held = x.Rule
	}
	return x
}

// limited is export, less what the neighbor's maximum-prefix-out holds back.
func (r *RIB) limited(d *dest, p *peer) exported {
	x := r.export(d, p)
	if x.hold == sent && p.isHeld(d) {
		return exported{hold: overLimit, rule: x.rule}
	}
	return x
}

// traceExport shows what export policy did with the best path or, if a default route is
// originated for p, what that one's policy did.
func (s *adjOut) traceExport(x *Export, d *dest, p *peer, rule policy.Rule) {
	program, pt := p.Export, (*path)(nil)
	if p.originates(d.prefix) {
		program, pt, x.Originated = p.Default, s.defaultPath(), true
	} else {
		pt = &d.paths[d.best]
	}
	x.Rule = program.RuleText(rule)
	_, x.Steps = program.Trace(s.exportInput(d.prefix, pt, p))
}
