package rib

import (
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// adjIn is the Adj-RIB-In of all neighbors: it receives paths, checks them, runs import
// policy, and counts what came of it. The routes that this router originates are stored
// beside those of neighbors.
type adjIn struct {
	opt   *Options
	peers *peers
	hops  *underlay
	seen  *observer
	mon   monitor
	input policy.Input // reused

	paths  int // in the table
	usable int // of these, accepted by policy
	routed int // destinations with such a path
}

// inbound is the part of a neighbor that belongs to the Adj-RIB-In.
type inbound struct {
	history
	tallies tallies
	// By family and outcome: paths that were announced or imported again.
	evaluated [2][outcomes]uint64
	taken     int // of received paths: those that MaxReceived counts
	dropped   dropped
	holds     holdings
}

// reject says why a path was not accepted.
type reject uint8

const (
	accepted reject = iota
	byPolicy
	byASLoop
	byFirstAS
	byASSet
	byConfed
	byNextHop
	byOriginator
	byCluster
	byLeak
	byPrefix
	byLimit
	outcomes // how many there are
)

// String is the reason as one word.
func (r reject) String() string {
	return [outcomes]string{
		accepted: "accepted", byPolicy: "policy", byASLoop: "as-loop", byFirstAS: "first-as", byASSet: "as-set",
		byConfed: "confederation", byNextHop: "next-hop", byOriginator: "originator-id", byCluster: "cluster-list",
		byLeak: "route-leak", byPrefix: "prefix", byLimit: "maximum-prefix",
	}[r]
}

// admission is the outcome of the checks that look at attributes only. They run once for
// all prefixes of an UPDATE.
type admission struct {
	received *route.Attrs
	attrs    *route.Attrs // as import policy sees them
	reject   reject
}

// admit runs the checks before policy: loops (RFC 4271 9.1.2, RFC 4456 8), the first AS,
// AS_SETs (RFC 9774), unusable next hops, leaks (RFC 9234 5).
func (s *adjIn) admit(p *peer, a *route.Attrs) admission {
	out := admission{received: a, attrs: a, reject: s.check(p, a)}
	otc := p.receivedOTC(a.OTC)
	if out.reject == accepted && !p.internal && (a.LocalPref.Set || a.OriginatorID.IsValid() || a.ClusterList != nil || otc != a.OTC) {
		// An eBGP neighbor's LOCAL_PREF and reflection attributes mean nothing here
		// (RFC 4271 5.1.5, RFC 7606 7.9 and 7.10).
		b := *a
		b.LocalPref, b.OriginatorID, b.ClusterList, b.OTC = route.Optional{}, netip.Addr{}, nil, otc
		out.attrs = s.opt.Interner.Intern(b)
	}
	return out
}

func (s *adjIn) check(p *peer, a *route.Attrs) reject {
	first, ok := a.ASPath.First()
	_, loops := p.ownASN(a.ASPath)
	id := s.opt.RouterID
	switch {
	case loops > p.AllowASIn:
		return byASLoop
	case !p.internal && len(a.ASPath) == 0:
		return byFirstAS
	case !p.internal && p.EnforceFirstAS && (!ok || first != p.RemoteASN):
		return byFirstAS
	case !p.internal && a.ASPath.HasConfed():
		return byConfed
	case !p.AllowASSets && a.ASPath.HasSet():
		return byASSet
	case !usableNextHop(a.NextHop) || a.NextHop == p.LocalAddress:
		return byNextHop
	case p.internal && a.OriginatorID == id && id.IsValid():
		return byOriginator
	case p.internal && slices.Contains(a.ClusterList, id):
		return byCluster
	case p.leaked(a.OTC):
		return byLeak
	}
	return accepted
}

// ownASN returns which of this router's ASNs occurs most often in path, and how often:
// the one that p is shown, or the one that others are (RFC 7705 3.3).
func (p *peer) ownASN(path route.ASPath) (asn uint32, times int) {
	shown, real := path.Contains(p.LocalASN), path.Contains(p.asn)
	if real > shown {
		return p.asn, real
	}
	return p.LocalASN, shown
}

func usableNextHop(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

// install stores a path that p has announced, in place of the one before. It reports
// whether d is to be decided again.
func (s *adjIn) install(d *dest, p *peer, pre admission, now time.Time) (changed bool) {
	i := d.find(p.id)
	if i >= 0 && d.paths[i].era != p.era && s.catchUp(d, i, p) {
		changed = true
		i = d.find(p.id) // it may have been of an earlier session, and be gone
	}
	if i >= 0 && d.paths[i].received == pre.received {
		return s.refresh(d, &d.paths[i], p) || changed
	}
	s.seen.note(d)
	pt := path{received: pre.received, peer: p.id, at: uint32(now.Unix())}
	if i >= 0 {
		s.count(d, p, &d.paths[i], -1)
	}
	s.evaluate(d, &pt, p, pre)
	if i < 0 {
		s.mon.note(d, p, nil, &pt)
		d.paths = append(d.paths, pt)
	} else {
		s.mon.note(d, p, &d.paths[i], &pt)
		s.hops.release(d.paths[i].hop)
		d.paths[i] = pt
	}
	s.count(d, p, &pt, 1)
	return true
}

// refresh takes a path that was announced again with the same attributes: it is not stale
// any more.
func (s *adjIn) refresh(d *dest, pt *path, p *peer) (changed bool) {
	if pt.flags&flagStale == 0 {
		return false
	}
	p.tallies.of(d).stale[pt.reject]--
	pt.flags &^= flagStale
	return true
}

// withdraw removes p's path, and reports whether there was one.
func (s *adjIn) withdraw(d *dest, p *peer) bool {
	i := d.find(p.id)
	if i >= 0 {
		s.cut(d, i, p)
	}
	return i >= 0
}

// cut removes path i, which is p's. The caller decides d afterwards.
func (s *adjIn) cut(d *dest, i int, p *peer) {
	s.seen.note(d)
	s.mon.note(d, p, &d.paths[i], nil)
	s.count(d, p, &d.paths[i], -1)
	s.hops.release(d.paths[i].hop)
	d.removePath(i)
}

// originate stores a route of this router, and reports whether anything changed. An
// aggregate gives way to a route that this router originates by itself.
func (s *adjIn) originate(d *dest, l Local) bool {
	pt := path{received: l.Attrs, accepted: l.Attrs, source: l.Source}
	if l.Floats {
		pt.flags = flagFloats
	}
	i := d.find(0)
	switch {
	case i < 0:
		s.seen.note(d)
		d.paths = append(d.paths, pt)
		s.count(d, s.peers.local(), &pt, 1)
		return true
	case d.paths[i].accepted == l.Attrs && d.paths[i].source == l.Source && d.paths[i].flags&flagFloats == pt.flags:
		return false
	case l.Source == route.SourceAggregate && d.paths[i].source != route.SourceAggregate:
		return false
	}
	s.seen.note(d)
	d.paths[i] = pt
	return true
}

// retract removes the route of this router, if it is an aggregate or if it is none, as
// said. It reports whether it did.
func (s *adjIn) retract(d *dest, aggregate bool) bool {
	i := d.find(0)
	if i < 0 || (d.paths[i].source == route.SourceAggregate) != aggregate {
		return false
	}
	s.cut(d, i, s.peers.local())
	return true
}

// evaluate runs import policy, and fills in what depends on it. The counts do not include
// pt, or else it would take the last room from itself.
func (s *adjIn) evaluate(d *dest, pt *path, p *peer, pre admission) {
	pt.accepted, pt.hop, pt.extra, pt.rule, pt.era = nil, nil, nil, 0, p.era
	if pt.reject = checkPrefix(d.prefix, p.limit(pre.reject)); pt.reject != accepted {
		return
	}
	out := p.Import.Run(s.importInput(d.prefix, p, pre.attrs))
	s.conclude(pt, p, pre.attrs, &out)
	switch {
	case pt.accepted == nil:
	case p.MaxRejected > 0 && !p.hasRoom():
		pt.reject, pt.accepted, pt.extra = byLimit, nil, nil
	default:
		pt.hop = s.hops.track(pt.accepted.NextHop)
	}
}

// checkPrefix returns pre or, for prefixes that no unicast route can have, byPrefix:
// multicast groups, and addresses that mean something on one link only (RFC 4271 6.3).
func checkPrefix(prefix netip.Prefix, pre reject) reject {
	if a := prefix.Addr(); pre == accepted && (a.IsMulticast() || a.Is6() && a.IsLinkLocalUnicast()) {
		return byPrefix
	}
	return pre
}

func (s *adjIn) importInput(prefix netip.Prefix, p *peer, a *route.Attrs) *policy.Input {
	s.input = policy.Input{
		Prefix: prefix, Attrs: a, Source: route.SourceBGP,
		From: p.Address, FromGroup: p.Group, Weight: p.Weight,
	}
	return &s.input
}

// conclude fills in what import policy made of a path.
func (s *adjIn) conclude(pt *path, p *peer, in *route.Attrs, out *policy.Output) {
	pt.rule = out.Rule
	if !out.Accept {
		pt.reject = byPolicy
		return
	}
	if pt.accepted = in; out.Attrs != in {
		pt.accepted = s.opt.Interner.Intern(*out.Attrs)
	}
	if !p.internal {
		s.obeyCommunities(pt)
	}
	pt.extra = extraOf(out, p.Weight)
}

// obeyCommunities does what an eBGP neighbor asks for by communities. GRACEFUL_SHUTDOWN:
// the neighbor is about to go down, so its routes get LOCAL_PREF 0 and are used only where
// there is nothing else (RFC 8326 4.2). BLACKHOLE: the packets are dropped in this AS, which
// concerns no other one, so the route gets NO_EXPORT (RFC 7999 3.2).
func (s *adjIn) obeyCommunities(pt *path) {
	shutdown := slices.Contains(pt.accepted.Communities, route.GracefulShutdown)
	blackhole := slices.Contains(pt.accepted.Communities, route.Blackhole)
	if !shutdown && !blackhole {
		return
	}
	a := *pt.accepted
	if shutdown {
		a.LocalPref = route.Some(0)
	}
	if blackhole {
		a.Communities = route.SortedSet(append(slices.Clone(a.Communities), route.NoExport))
	}
	pt.accepted = s.opt.Interner.Intern(a)
}

// extraOf returns the rare values that policy set, nil if it set none. The neighbor's own
// weight is not rare, and not stored with each path.
func extraOf(out *policy.Output, weight uint32) *extra {
	if out.Weight == weight && out.Tag == 0 && !out.PreferredSource.IsValid() {
		return nil
	}
	return &extra{weight: out.Weight, tag: out.Tag, source: out.PreferredSource}
}

func sameExtra(a, b *extra) bool {
	return a == b || a != nil && b != nil && *a == *b
}
