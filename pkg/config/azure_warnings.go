package config

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// routeServers warns if only one of the two instances of a Route Server is a neighbor.
func (w *warner) routeServers() {
	instances := map[string][]int{}
	for i, n := range w.cfg.Neighbors {
		if n.RemoteASN == routeServerASN && n.OwnASN(w.cfg) != routeServerASN && n.EBGPMultihop > 1 {
			server := cmp.Or(n.Domain, domainOf(n.Address))
			instances[server] = append(instances[server], i)
		}
	}
	for _, server := range tomlfile.SortedKeys(instances) {
		if list := instances[server]; len(list) == 1 {
			n := w.cfg.Neighbors[list[0]]
			w.warn("one-instance", w.src.Elem("neighbor", list[0], n.Address)+".address",
				"only one of the two instances of Route Server %s is a neighbor: half of the traffic is lost; add the other instance", server)
		}
	}
}

func (w *warner) routeServer(i int) {
	n := &w.cfg.Neighbors[i]
	if n.Domain == "" {
		w.warn("no-domain", w.cfg.places(i, "domain", "remote-asn"),
			"domain is not set: routes learned from one instance of Route Server are sent to the other, and traffic may loop; set the same domain for both instances")
	}
	if n.EBGPMultihop < 2 {
		w.warn("no-multihop", w.cfg.places(i, "ebgp-multihop", "remote-asn"),
			"Route Server is more than one hop away, so the session does not come up; set ebgp-multihop to 2 or more")
	}
	if n.Families.Has(route.IPv6) {
		w.warn("family", w.cfg.places(i, "families"), "Route Server does not exchange IPv6 routes; remove \"ipv6\" from families")
	}
	if n.Password != "" || n.PasswordFile != "" {
		w.warn("password", w.cfg.places(i, "password", "password-file"),
			"Route Server does not support TCP-MD5, so the session never comes up; remove the password")
	}
	w.holdTime(i)
}

// shortHoldTime is longer than the freezes by which Azure moves a VM.
const shortHoldTime = 10 * time.Second

func (w *warner) holdTime(i int) {
	n := &w.cfg.Neighbors[i]
	key := w.cfg.places(i, "hold-time")
	switch {
	case n.HoldTime == 0:
		w.warn("hold-time", key, "hold-time is 0: neither side notices when the other is gone; set 10 s or more")
	case n.HoldTime > routeServerHoldTime:
		w.warn("hold-time", key, "Route Server proposes %d s and the lower hold time wins, so a longer one has no effect", routeServerHoldTime/time.Second)
	case n.HoldTime < shortHoldTime:
		w.warn("hold-time", key, "Azure freezes a VM for several seconds to move it: with a hold time of %d s, this closes the session each time; "+
			"set 10 s or more", n.HoldTime/time.Second)
	}
}

// originated warns of originated prefixes that Azure ignores when they are announced to
// a Route Server. Learned prefixes are checked at run time.
func (w *warner) originated() {
	for i, n := range w.cfg.Networks {
		w.ignored(w.src.Elem("network", i, n.Prefix)+".prefix", n.Prefix)
	}
	for i, a := range w.cfg.Aggregates {
		w.ignored(w.src.Elem("aggregate", i, a.Prefix)+".prefix", a.Prefix)
	}
}

func (w *warner) ignored(key string, p netip.Prefix) {
	for i := range w.cfg.Neighbors {
		n := &w.cfg.Neighbors[i]
		if !w.cfg.IsRouteServer(n) {
			continue
		}
		for _, v := range n.VNet {
			if v.Bits() <= p.Bits() && v.Contains(p.Addr()) {
				w.warn("in-vnet", key, "%s is part of the VNet's own address space %s: Azure ignores such a route, so nvad does not send it to Route Server; "+
					"announce a wider prefix", p, v)
			}
		}
		if slices.Contains(ServerSubnets(n.Address), p) {
			w.warn("server-subnet", key, "%s is RouteServerSubnet: Azure silently ignores such a route, so nvad does not send it to Route Server; remove it", p)
		}
	}
}

// privateASNs warns of policies that reject paths with a private ASN and so reject
// everything from Azure: each path from a Route Server begins with 65515, a private ASN.
func (w *warner) privateASNs() {
	const msg = `"private" includes AS 65515, with which all paths from Route Server begin: %s; use "reserved"`
	servers := slices.ContainsFunc(w.cfg.Neighbors, func(n Neighbor) bool { return w.cfg.IsRouteServer(&n) })
	for i := range w.cfg.Neighbors {
		n := &w.cfg.Neighbors[i]
		internal := n.RemoteASN == n.OwnASN(w.cfg)
		switch {
		case n.RemoteASN == routeServerASN && !internal:
			w.private(i, "import", n.Import, msg, "all its routes are rejected")
		case internal && servers:
			w.private(i, "import", n.Import, msg, "all routes that other NVAs learned from Azure are rejected")
			w.private(i, "export", n.Export, msg, "no route learned from Azure reaches the other NVA")
		}
	}
}

// private checks one chain: its deny-asns, and the clauses of its route-map that deny
// for no other reason.
func (w *warner) private(i int, key string, c policy.Chain, msg, effect string) {
	if c.DenyASNs&policy.Private != 0 {
		w.warn("private-asns", w.cfg.places(i, key+".deny-asns"), msg, effect)
	}
	for j, clause := range w.cfg.Policies.RouteMaps[c.RouteMap] {
		set := clause.Match.Bogons
		if !clause.Permit && set&policy.Private != 0 && clause.Match == (policy.Match{Bogons: set}) {
			w.warn("private-asns", w.src.Elem("route-map."+c.RouteMap, j, clause.Seq)+".match.bogons", msg, effect)
		}
	}
}

// bogonPatterns warns of the expressions for bogon ASNs that circulate in articles about
// Route Server, and of what they let through.
func (w *warner) bogonPatterns() {
	for _, name := range tomlfile.SortedKeys(w.cfg.Policies.ASPathLists) {
		list := w.cfg.Policies.ASPathLists[name]
		for i, rule := range list {
			key := w.src.Elem(string(policy.KindASPathList)+"."+name, i, rule.Seq)
			if strings.Contains(rule.Regexp, "1310[0-6][0-9]") {
				w.warn("bogon-pattern", key, "%s matches only 131000-131071 of the reserved ASNs 65552-131071 and lets 65552-130999 pass; "+
					`use deny-asns = "reserved" in import, which covers them all`, rule.Regexp)
			}
			exempt := exemption(list[:i])
			if rule.Permit && exempt != "" && (rule.Regexp == "^65" || strings.HasPrefix(rule.Regexp, "^65[")) {
				w.warn("bogon-pattern", key, "%s never matches a route from Route Server: the earlier rule %q exempts every path with 65515, "+
					`whatever else it contains; use deny-asns = "reserved" in import, which exempts none`, rule.Regexp, exempt)
			}
		}
	}
}

// exemption returns the expression of a rule that denies paths with Route Server's ASN;
// empty if there is none.
func exemption(rules policy.ASPathList) string {
	for _, r := range rules {
		if !r.Permit && strings.Trim(r.Regexp, "_^$") == "65515" {
			return r.Regexp
		}
	}
	return ""
}

// prober runs example routes through the policies of a file, as the daemon would. So
// a warning is about the effect of a policy, however it is written.
type prober struct {
	cfg      *Config
	compiler *policy.Compiler
	in, out  map[int]*policy.Program // by neighbor
}

func newProber(cfg *Config) *prober {
	return &prober{cfg, policy.NewCompiler(&cfg.Policies), map[int]*policy.Program{}, map[int]*policy.Program{}}
}

// onPremises is an example of an AS behind a gateway or another NVA. It is public, so
// no check for private or reserved ASNs rejects it.
const onPremises = 3356

// learned returns a route from neighbor i after import policy; nil if it is rejected.
func (p *prober) learned(i int, prefix netip.Prefix, path ...uint32) *policy.Input {
	n := &p.cfg.Neighbors[i]
	prog := p.program(p.in, i, n.Import, false)
	if prog == nil {
		return nil
	}
	attrs := &route.Attrs{ASPath: route.NewASPath(path...), NextHop: n.Address}
	return passed(prog, policy.Input{Prefix: prefix, Attrs: attrs, From: n.Address, FromGroup: n.PeerGroup})
}

// local returns an originated route after its route-map; nil if it is denied.
func (p *prober) local(prefix netip.Prefix, source route.Source, routeMap string) *policy.Input {
	prog, err := p.compiler.Compile(OriginChain(routeMap), p.cfg.OriginSession())
	if err != nil {
		return nil
	}
	return passed(prog, policy.Input{Prefix: prefix, Attrs: &route.Attrs{}, Source: source})
}

// passed returns in as prog changes it; nil if prog denies it.
func passed(prog *policy.Program, in policy.Input) *policy.Input {
	out := prog.Run(&in)
	if !out.Accept {
		return nil
	}
	in.Attrs, in.Weight, in.Tag = out.Attrs, out.Weight, out.Tag
	return &in
}

// sent returns the attributes with which neighbor i is sent a route; nil if export
// policy denies it.
func (p *prober) sent(i int, in *policy.Input) *route.Attrs {
	n := &p.cfg.Neighbors[i]
	prog := p.program(p.out, i, n.Export, true)
	if in == nil || prog == nil {
		return nil
	}
	if out := prog.Run(in); out.Accept {
		return out.Attrs
	}
	return nil
}

// program returns a neighbor's compiled chain; nil if the chain has a fault.
func (p *prober) program(known map[int]*policy.Program, i int, c policy.Chain, export bool) *policy.Program {
	prog, ok := known[i]
	if !ok {
		prog, _ = p.compiler.Compile(c, p.cfg.Session(&p.cfg.Neighbors[i], export))
		known[i] = prog
	}
	return prog
}

// feeds reports whether routes from neighbor from may have AS 65515 in their path and
// are sent to Route Server to: those of another Route Server, and those of other NVAs.
func (c *Config) feeds(from, to *Neighbor) bool {
	if c.IsRouteServer(from) {
		return serverOf(from) != serverOf(to)
	}
	return from.RemoteASN == from.OwnASN(c)
}

// serverOf returns a name that the instances of one Route Server share.
func serverOf(n *Neighbor) string { return cmp.Or(n.Domain, domainOf(n.Address)) }

// probes returns prefixes to try on the policies: some that files hardly name, and those
// that the prefix-lists permit and the NVA does not originate.
func (c *Config) probes() []netip.Prefix {
	own := map[netip.Prefix]bool{}
	for _, n := range c.Networks {
		own[n.Prefix] = true
	}
	for _, a := range c.Aggregates {
		own[a.Prefix] = true
	}
	out := []netip.Prefix{netip.MustParsePrefix("10.251.0.0/16"), netip.MustParsePrefix("172.30.0.0/16"), netip.MustParsePrefix("192.168.251.0/24")}
	for _, name := range tomlfile.SortedKeys(c.Policies.PrefixLists) {
		for _, r := range c.Policies.PrefixLists[name] {
			if r.Permit && !r.Any && r.Prefix.Addr().Is4() && r.Prefix.Bits() > 0 && !own[r.Prefix.Masked()] && len(out) < maxProbes {
				p := r.Prefix.Masked()
				if r.GE > p.Bits() {
					p = netip.PrefixFrom(p.Addr(), r.GE)
				}
				out = append(out, p)
			}
		}
	}
	return out
}

// maxProbes bounds the work for files with very long lists.
const maxProbes = 64

// serverLoops warns of export policies that send Route Server paths with its own ASN,
// all of which it drops.
func (w *warner) serverLoops(p *prober) {
	probes := w.cfg.probes()
	for i := range w.cfg.Neighbors {
		n := &w.cfg.Neighbors[i]
		if !w.cfg.IsRouteServer(n) || n.ASOverride {
			continue
		}
		for j := range w.cfg.Neighbors {
			from := &w.cfg.Neighbors[j]
			if j != i && w.cfg.feeds(from, n) && slices.ContainsFunc(probes, func(prefix netip.Prefix) bool {
				attrs := p.sent(i, p.learned(j, prefix, routeServerASN, onPremises))
				return attrs != nil && attrs.ASPath.Contains(routeServerASN) > 0
			}) {
				w.warn("own-asn", w.cfg.places(i, "export"), "routes that %s learned from Azure are sent to Route Server with AS %d still in the path, and Route Server drops "+
					"every path with its own ASN; set as-path-replace = \"%[2]d\" in the export route-map, or as-override = true", from.Address, routeServerASN)
				break
			}
		}
	}
}

// defaultToServer warns once if a default route is sent to a Route Server.
func (w *warner) defaultToServer(p *prober) {
	for i := range w.cfg.Neighbors {
		if n := &w.cfg.Neighbors[i]; w.cfg.IsRouteServer(n) {
			if key := w.defaultFor(p, i); key != "" {
				w.warn("default-to-azure", key, "a default route is sent to Route Server %s, which programs it on every NIC of the VNet, including this NVA's: "+
					"unless the NVA's subnet has a user-defined route 0.0.0.0/0 to Internet, its own packets loop back to it; "+
					"nvad can't see that route: make sure that it exists, or deny 0.0.0.0/0 in export", serverOf(n))
				return
			}
		}
	}
}

// defaultFor returns the keys by which neighbor i, a Route Server, is sent a default
// route; empty if it is not. Whether one will be learned is unknown, so it is assumed
// with allow-default.
func (w *warner) defaultFor(p *prober, i int) string {
	def := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	n := &w.cfg.Neighbors[i]
	if n.DefaultOriginate && (n.DefaultOriginateMap == "" || p.local(def, route.SourceNetwork, n.DefaultOriginateMap) != nil) {
		return w.cfg.places(i, "default-originate")
	}
	for j, o := range w.cfg.Networks {
		if o.Prefix == def && p.sent(i, p.local(def, route.SourceNetwork, o.RouteMap)) != nil {
			return w.src.Elem("network", j, o.Prefix) + ".prefix"
		}
	}
	for j, o := range w.cfg.Aggregates {
		if o.Prefix == def && p.sent(i, p.local(def, route.SourceAggregate, o.RouteMap)) != nil {
			return w.src.Elem("aggregate", j, o.Prefix) + ".prefix"
		}
	}
	for j, o := range w.cfg.Redistributes {
		source, _ := route.ParseSource(o.Source)
		static := slices.ContainsFunc(w.cfg.Statics, func(s Static) bool { return s.Prefix == def })
		if (source == route.SourceKernel || source == route.SourceStatic && static) && p.sent(i, p.local(def, source, o.RouteMap)) != nil {
			return w.src.Elem("redistribute", j, o.Source) + ".source"
		}
	}
	for j := range w.cfg.Neighbors {
		if w.cfg.Kernel.AllowDefault && w.learnsDefault(p, j, i) {
			return w.cfg.places(i, "export")
		}
	}
	return ""
}

// learnsDefault reports whether Route Server i would be sent a default route from
// neighbor j.
func (w *warner) learnsDefault(p *prober, j, i int) bool {
	def := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	n, from := &w.cfg.Neighbors[i], &w.cfg.Neighbors[j]
	paths := [][]uint32{{from.RemoteASN}}
	switch {
	case w.cfg.feeds(from, n):
		paths = [][]uint32{nil, {routeServerASN}, {onPremises}}
	case w.cfg.IsRouteServer(from):
		return false // an instance of the same Route Server
	}
	return slices.ContainsFunc(paths, func(path []uint32) bool { return p.sent(i, p.learned(j, def, path...)) != nil })
}
