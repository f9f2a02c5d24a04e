package rib

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// pathStory tells how path i of d came in.
func (r *RIB) pathStory(d *dest, i int) PathStory {
	pt := &d.paths[i]
	s := PathStory{Path: r.view(d, i), Evaluated: pt.accepted}
	if pt.source == route.SourceBGP {
		p := r.peers[pt.peer]
		s.PeerGroup = p.Group
		r.evaluateAgain(&s, d, pt, p)
	}
	if pt.hop != nil {
		s.Metric = pt.hop.metric
		for _, h := range pt.hop.hops {
			s.Via = append(s.Via, r.hopText(h))
		}
		if pt.hop.hops == nil {
			s.Unresolved = r.unresolved(pt.hop.addr)
		}
	}
	return s
}

// evaluateAgain runs checks and import policy over what was received, and
// compares the outcome with what is in force.
func (r *RIB) evaluateAgain(s *PathStory, d *dest, pt *path, p *peer) {
	pre := r.admit(p, pt.received)
	pre.reject = refused(d.prefix, pre.reject)
	if pt.reject == byLimit {
		pre.reject = byLimit // whether it fits now is for the next change to say
	}
	s.Checks = r.checks(p, pt.received, pre.reject)
	now := path{received: pt.received, peer: pt.peer, reject: pre.reject}
	if pre.reject == accepted {
		var out policy.Output
		out, s.Steps = p.Import.Trace(r.importInput(d.prefix, p, pre.attrs))
		r.conclude(&now, p, pre.attrs, &out)
	}
	s.Evaluated = now.accepted
	s.Rule = r.rejectReason(&now) // the stored number may be of a Program that is gone
	s.Differs = now.accepted != pt.accepted || !sameExtra(now.extra, pt.extra)
}

// importCheck describes a check of [RIB.check]; they are listed in its order.
type importCheck struct {
	reject reject
	name   string
	asked  func(p *peer, a *route.Attrs) bool
	value  func(p *peer, a *route.Attrs) string
}

var importChecks = []importCheck{
	{byASLoop, "AS path loop", always, loopText},
	{byFirstAS, "first AS", fromOutside, firstASText},
	{byConfed, "confederation", fromOutside, func(_ *peer, a *route.Attrs) string {
		return presence(a.ASPath.HasConfed(), "segment")
	}},
	{byASSet, "AS_SET", func(p *peer, _ *route.Attrs) bool { return !p.AllowASSets }, func(_ *peer, a *route.Attrs) string {
		return presence(a.ASPath.HasSet(), "set")
	}},
	{byNextHop, "next hop", always, func(_ *peer, a *route.Attrs) string {
		return a.NextHop.String()
	}},
	{byOriginator, "originator", func(p *peer, a *route.Attrs) bool { return p.internal && a.OriginatorID.IsValid() },
		func(_ *peer, a *route.Attrs) string { return a.OriginatorID.String() }},
	{byCluster, "cluster list", func(p *peer, a *route.Attrs) bool { return p.internal && len(a.ClusterList) > 0 },
		func(_ *peer, a *route.Attrs) string { return joined(a.ClusterList) }},
	{byLeak, "role", func(p *peer, _ *route.Attrs) bool { return p.Role != "" }, otcText},
	{byPrefix, "prefix", func(*peer, *route.Attrs) bool { return false }, func(*peer, *route.Attrs) string {
		return "multicast or link-local"
	}},
	{byLimit, "maximum-prefix", func(p *peer, _ *route.Attrs) bool { return p.MaxReceived > 0 },
		func(p *peer, _ *route.Attrs) string { return fmt.Sprintf("%d are taken", p.MaxReceived) }},
}

func always(*peer, *route.Attrs) bool { return true }

func fromOutside(p *peer, _ *route.Attrs) bool { return !p.internal }

func firstASText(p *peer, a *route.Attrs) string {
	asn, ok := a.ASPath.First()
	switch {
	case len(a.ASPath) == 0:
		return "the path is empty"
	case !ok:
		return "the path starts with a set"
	case p.EnforceFirstAS:
		return fmt.Sprintf("%d, must be %d", asn, p.RemoteASN)
	}
	return fmt.Sprintf("%d, may be any", asn)
}

func loopText(p *peer, a *route.Attrs) string {
	asn, n := p.own(a.ASPath)
	switch {
	case n == 0:
		return fmt.Sprintf("own AS %d is not in the path", asn)
	case p.AllowASIn == 0:
		return fmt.Sprintf("own AS %d is in the path", asn)
	}
	return fmt.Sprintf("own AS %d is in the path %d of %d times allowed", asn, n, p.AllowASIn)
}

func presence(has bool, what string) string {
	if has {
		return "the path has a " + what
	}
	return "the path has none"
}

func joined(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, " ")
}

// checks lists the checks up to the one that failed, all if none did.
func (r *RIB) checks(p *peer, a *route.Attrs, failed reject) []Check {
	var out []Check
	for _, c := range importChecks {
		if c.reject != failed && !c.asked(p, a) {
			continue
		}
		out = append(out, Check{Name: c.name, Value: c.value(p, a), Passed: c.reject != failed})
		if c.reject == failed {
			break
		}
	}
	return out
}

// unresolved says why a next hop is not reached.
func (r *RIB) unresolved(addr netip.Addr) string {
	u := &r.under
	if u.own[addr] {
		return "it is an address of this machine"
	}
	v, ok := u.table.Lookup(addr)
	switch {
	case !ok && !r.opt.ResolveDefault:
		return "no connected, static or foreign route leads to it (the default route does not count, see kernel.resolve-default)"
	case !ok:
		return "no connected, static or foreign route leads to it"
	}
	var down []string
	for _, h := range v.hops {
		down = append(down, r.LinkName(h.Link))
	}
	return "its link is down: " + strings.Join(down, ", ")
}

func (r *RIB) hopText(h fib.NextHop) string {
	dev := "dev " + r.LinkName(h.Link)
	if !h.Via.IsValid() {
		return dev
	}
	return fmt.Sprintf("via %s %s", h.Via, dev)
}
