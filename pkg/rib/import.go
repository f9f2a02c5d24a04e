package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

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

// admission is the outcome of the checks that look at attributes only. They
// run once for all prefixes of an UPDATE.
type admission struct {
	received *route.Attrs
	attrs    *route.Attrs // as import policy sees them
	reject   reject
}

// admit runs the checks that stand before policy: loops (RFC 4271 9.1.2, RFC
// 4456 8), the first AS, AS_SETs (RFC 9774), impossible next hops, leaks (RFC
// 9234 5).
func (r *RIB) admit(p *peer, a *route.Attrs) admission {
	out := admission{received: a, attrs: a, reject: r.check(p, a)}
	otc := p.received(a.OTC)
	if out.reject == accepted && !p.internal && (a.LocalPref.Set || a.OriginatorID.IsValid() || a.ClusterList != nil || otc != a.OTC) {
		// An eBGP neighbor's LOCAL_PREF and reflection attributes mean
		// nothing here (RFC 4271 5.1.5, RFC 7606 7.9 and 7.10).
		b := *a
		b.LocalPref, b.OriginatorID, b.ClusterList, b.OTC = route.Optional{}, netip.Addr{}, nil, otc
		out.attrs = r.opt.Interner.Intern(b)
	}
	return out
}

func (r *RIB) check(p *peer, a *route.Attrs) reject {
	first, ok := a.ASPath.First()
	_, loops := p.own(a.ASPath)
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
	case p.internal && a.OriginatorID == r.opt.RouterID && r.opt.RouterID.IsValid():
		return byOriginator
	case p.internal && inCluster(a.ClusterList, r.opt.RouterID):
		return byCluster
	case p.leaked(a.OTC):
		return byLeak
	}
	return accepted
}

// own is the own ASN that path holds most often, and how often: the one that p
// is shown, or the one that others are (RFC 7705 3.3).
func (p *peer) own(path route.ASPath) (asn uint32, times int) {
	shown, real := path.Contains(p.LocalASN), path.Contains(p.asn)
	if real > shown {
		return p.asn, real
	}
	return p.LocalASN, shown
}

func usableNextHop(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

func inCluster(list []netip.Addr, id netip.Addr) bool {
	for _, c := range list {
		if c == id {
			return true
		}
	}
	return false
}

// install puts a path of p in place of the one it announced before.
func (r *RIB) install(p *peer, prefix netip.Prefix, pre admission, now time.Time) {
	if r.overflows(p, prefix) {
		p.dropped.drop(prefix)
		return
	}
	d := r.dest(prefix)
	i := d.find(p.id)
	if i >= 0 && d.paths[i].era != p.era && r.catchUp(d, i, p) {
		r.touch(d, p.id)
		i = d.find(p.id) // it may have been of a session before
	}
	if i >= 0 && d.paths[i].received == pre.received {
		r.refresh(d, &d.paths[i], p)
		return
	}
	r.note(d)
	pt := path{received: pre.received, peer: p.id, at: uint32(now.Unix())}
	if i < 0 || d.paths[i].reject == byLimit {
		pre = r.limit(p, pre)
	}
	r.evaluate(d, &pt, p, pre)
	if i < 0 {
		d.addPath(pt)
	} else {
		r.uncount(d, p, &d.paths[i])
		r.under.release(d.paths[i].hop)
		d.paths[i] = pt
	}
	r.count(d, p, &pt)
	r.touch(d, p.id)
}

// refresh takes a path that was announced once more with the same attributes.
func (r *RIB) refresh(d *dest, pt *path, p *peer) {
	if pt.flags&flagStale == 0 {
		return
	}
	p.tallies.of(d).stale[pt.reject]--
	pt.flags &^= flagStale
	r.touch(d, p.id)
}

// evaluate runs import policy and fills in what depends on it.
func (r *RIB) evaluate(d *dest, pt *path, p *peer, pre admission) {
	pt.accepted, pt.hop, pt.extra, pt.rule, pt.era = nil, nil, nil, 0, p.era
	if pt.reject = refused(d.prefix, pre.reject); pt.reject != accepted {
		return
	}
	out := p.Import.Run(r.importInput(d.prefix, p, pre.attrs))
	r.conclude(pt, p, pre.attrs, &out)
	if pt.accepted != nil {
		pt.hop = r.under.track(pt.accepted.NextHop)
	}
}

// refused is pre, or byPrefix for what no route of unicast can have: groups, and
// addresses that mean something on one link alone (RFC 4271 6.3).
func refused(prefix netip.Prefix, pre reject) reject {
	if a := prefix.Addr(); pre == accepted && (a.IsMulticast() || a.Is6() && a.IsLinkLocalUnicast()) {
		return byPrefix
	}
	return pre
}

// conclude fills in what import policy made of a path.
func (r *RIB) conclude(pt *path, p *peer, in *route.Attrs, out *policy.Output) {
	pt.rule = out.Rule
	if !out.Accept {
		pt.reject = byPolicy
		return
	}
	pt.accepted = r.intern(out.Attrs, in)
	if !p.internal && slices.Contains(pt.accepted.Communities, route.GracefulShutdown) {
		pt.accepted = r.leastPreferred(pt.accepted)
	}
	if !p.internal && slices.Contains(pt.accepted.Communities, route.Blackhole) {
		pt.accepted = r.kept(pt.accepted)
	}
	pt.extra = extraOf(out, p.Weight)
}

// extraOf returns the rare values that policy set, nil if it set none. The
// neighbor's own weight is not rare, and kept by the neighbor.
func extraOf(out *policy.Output, weight uint32) *extra {
	if out.Weight == weight && out.Tag == 0 && !out.PreferredSource.IsValid() {
		return nil
	}
	return &extra{weight: out.Weight, tag: out.Tag, source: out.PreferredSource}
}

func (r *RIB) importInput(prefix netip.Prefix, p *peer, a *route.Attrs) *policy.Input {
	r.work.in = policy.Input{
		Prefix: prefix, Attrs: a, Source: route.SourceBGP,
		From: p.Address, FromGroup: p.Group, Weight: p.Weight,
	}
	return &r.work.in
}

// leastPreferred is a with LOCAL_PREF 0: the neighbor is about to go down and
// asks that its routes be used only where there is nothing else (RFC 8326 4.2).
func (r *RIB) leastPreferred(a *route.Attrs) *route.Attrs {
	b := *a
	b.LocalPref = route.Some(0)
	return r.opt.Interner.Intern(b)
}

// kept is a with NO_EXPORT: what one neighbor wants dropped is no other AS's
// affair (RFC 7999 3.2).
func (r *RIB) kept(a *route.Attrs) *route.Attrs {
	b := *a
	b.Communities = route.SortedSet(append(slices.Clone(a.Communities), route.NoExport))
	return r.opt.Interner.Intern(b)
}

// intern makes a set that policy changed one of ours.
func (r *RIB) intern(out, in *route.Attrs) *route.Attrs {
	if out == in {
		return in
	}
	return r.opt.Interner.Intern(*out)
}

// rejectReason says in words why pt was rejected, or which rule accepted it.
func (r *RIB) rejectReason(pt *path) string {
	p, a := r.peers[pt.peer], pt.received
	switch pt.reject {
	case byASLoop:
		asn, _ := p.own(a.ASPath)
		return fmt.Sprintf("AS path loop: contains own AS %d", asn)
	case byFirstAS:
		if len(a.ASPath) == 0 {
			return "empty AS path from an eBGP neighbor"
		}
		return fmt.Sprintf("first AS of the path is not %d (enforce-first-as)", p.RemoteASN)
	case byASSet:
		return "AS path has an AS_SET (RFC 9774)"
	case byConfed:
		return "AS path has a confederation segment"
	case byNextHop:
		return fmt.Sprintf("next hop %s is not usable", a.NextHop)
	case byOriginator:
		return "ORIGINATOR_ID is this router"
	case byCluster:
		return "CLUSTER_LIST holds this router"
	case byLeak:
		return p.leakText(a.OTC)
	case byPrefix:
		return "prefix is not of unicast use"
	case byLimit:
		return fmt.Sprintf("maximum-prefix %d reached", p.MaxReceived)
	}
	if p.Import == nil || pt.rule == 0 {
		return ""
	}
	return p.Import.RuleText(pt.rule)
}
