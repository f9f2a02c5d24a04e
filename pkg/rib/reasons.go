package rib

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// rejectReason says why a path of p was rejected, or which rule accepted it.
func (p *peer) rejectReason(pt *path) string {
	a := pt.received
	switch pt.reject {
	case byASLoop:
		asn, _ := p.ownASN(a.ASPath)
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
		return "CLUSTER_LIST contains this router"
	case byLeak:
		return p.leakText(a.OTC)
	case byPrefix:
		return "not a unicast prefix"
	case byLimit:
		return fmt.Sprintf("maximum-prefix %d reached", p.MaxReceived)
	}
	if p.Import == nil || pt.rule == 0 {
		return ""
	}
	return p.Import.RuleText(pt.rule)
}

// holdReason says why d is not advertised to p.
func (p *peer) holdReason(d *dest, h hold, rule policy.Rule) string {
	switch h {
	case noPath:
		return "no valid path"
	case ownRoute:
		return "learned from this neighbor"
	case ibgpToIBGP:
		return "iBGP routes are not passed on to iBGP neighbors"
	case ownDomain:
		return fmt.Sprintf("learned from domain %q", p.Domain)
	case noAdvertise:
		return "community no-advertise"
	case noExport:
		return "community no-export"
	case onlyToCustomer:
		return fmt.Sprintf("Only to Customer of AS %d, and the neighbor is a %s (RFC 9234)", d.paths[d.best].accepted.OTC.Value, p.Role)
	case noNextHop:
		return "no next hop of the prefix's family"
	case summarised:
		return "covered by a summary-only aggregate"
	case overLimit:
		return heldText(p.MaxAdvertised)
	case inVNet, serverSubnet:
		return p.ignoredReason(d.prefix, h)
	case family:
		return fmt.Sprintf("%s was not negotiated", route.FamilyOf(d.prefix))
	}
	return p.Export.RuleText(rule)
}

// importCheck describes a check of adjIn.check; they are listed in its order.
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
	asn, n := p.ownASN(a.ASPath)
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
func (p *peer) checks(a *route.Attrs, failed reject) []Check {
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

// whyNotAccepted says why d has no accepted path of a neighbor.
func (r *RIB) whyNotAccepted(d *dest, neighbor netip.Addr) string {
	p := r.peers.byAddr[neighbor]
	if p == nil {
		return "the neighbor is removed"
	}
	switch i := d.find(p.id); {
	case i >= 0:
		return p.rejectReason(&d.paths[i])
	case !p.up:
		return "the session is down"
	}
	return "the neighbor withdrew it"
}

func (r *RIB) whyAccepted(d *dest, neighbor netip.Addr) string {
	if p := r.peers.byAddr[neighbor]; p != nil {
		if i := d.find(p.id); i >= 0 {
			return p.rejectReason(&d.paths[i])
		}
	}
	return ""
}

// whyNotAdvertised says why a neighbor is not sent d.
func (r *RIB) whyNotAdvertised(d *dest, neighbor netip.Addr) string {
	p := r.peers.byAddr[neighbor]
	switch {
	case p == nil:
		return "the neighbor is removed"
	case !p.up:
		return "the session is down"
	}
	switch x := r.export(d, p); {
	case x.hold == sent:
		return heldText(p.MaxAdvertised)
	case x.hold == exportPolicy && p.originates(d.prefix):
		return p.Default.RuleText(x.rule)
	case x.hold == noPath:
		return r.whyNotInstalled(d)
	default:
		return p.holdReason(d, x.hold, x.rule)
	}
}

// whyNotInstalled says why the kernel has no route for d.
func (r *RIB) whyNotInstalled(d *dest) string {
	why := "no path is left"
	for i := range d.paths {
		pt := &d.paths[i]
		p := r.peers.of(pt)
		switch {
		case pt.peer == 0:
			why = "it is originated here"
		case pt.accepted == nil:
			return fmt.Sprintf("the path from %s is rejected: %s", p.Address, p.rejectReason(pt))
		case !pt.valid():
			return fmt.Sprintf("next hop %s does not resolve", pt.accepted.NextHop)
		}
	}
	return why
}

// whyNotStatic says why the first static route for a prefix does not stand.
func (u *underlay) whyNotStatic(prefix netip.Prefix) string {
	if len(u.statics[prefix]) == 0 {
		return noneAnnounced
	}
	return "static route" + u.whyNoWay(u.statics[prefix][0])
}

// whyNoWay says why the next hop of a static route is not reached: the rest of a sentence
// that begins with "static route".
func (u *underlay) whyNoWay(s *static) string {
	switch {
	case s.loop != nil:
		return loopedText(s.loop)
	case s.Device != "" && u.link(s.Device) == 0:
		return ": there is no device " + s.Device
	case u.dead[s.Via]:
		return ": gateway " + s.Via.String() + " does not answer BFD"
	case s.Via.IsValid():
		return ": gateway " + s.Via.String() + " is not reached"
	default:
		return ": device " + s.Device + " is down"
	}
}

// loopedText names the static routes that need each other, as whyNoWay does.
func loopedText(loop []*static) string {
	var names []string
	for _, s := range loop {
		names = append(names, s.Prefix.String()+" via "+s.Via.String())
	}
	if len(names) == 1 {
		return ": gateway " + loop[0].Via.String() + " is reached through no other route"
	}
	return "s need each other: " + strings.Join(names, ", ")
}

// whyUnresolved says why a next hop is not reached. learned is the BGP route that contains it,
// through which FRR would reach it.
func (u *underlay) whyUnresolved(addr netip.Addr, learned netip.Prefix) string {
	if u.own[addr] {
		return "it is an address of this machine"
	}
	v, ok := u.table.Lookup(addr)
	switch {
	case !ok && learned.IsValid():
		return fmt.Sprintf("only the BGP route %s leads to it, and nvad reaches no next hop through a BGP route: add a static route to it, "+
			"or have the neighbor set next-hop-self", learned)
	case !ok && !u.opt.ResolveDefault:
		return "no connected, static or foreign route leads to it (the default route does not count, see kernel.resolve-default)"
	case !ok:
		return "no connected, static or foreign route leads to it"
	}
	var down []string
	for _, h := range v.hops {
		down = append(down, u.links[h.Link].Name)
	}
	return "its link is down: " + strings.Join(down, ", ")
}

func (u *underlay) hopText(h fib.NextHop) string {
	dev := "dev " + u.links[h.Link].Name
	if !h.Via.IsValid() {
		return dev
	}
	return fmt.Sprintf("via %s %s", h.Via, dev)
}

// wayText says where a route leads.
func (u *underlay) wayText(w *fib.Route) string {
	if w.Kind != fib.Unicast {
		return w.Kind.String()
	}
	var hops []string
	for _, h := range w.Hops {
		hops = append(hops, u.hopText(h))
	}
	return strings.Join(hops, ", ")
}

// changedText says how two sets of one route differ.
func changedText(a, b *mark) string {
	if a.attrs == b.attrs {
		return "weight, tag or preferred source"
	}
	return strings.Join(differences(a.attrs, b.attrs), ", ")
}

func fromText(c Choice) string {
	if !c.Neighbor.IsValid() {
		return c.Source.String()
	}
	return c.Neighbor.String()
}
