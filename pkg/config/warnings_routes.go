package config

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// prober sends example routes through the policies of a file, as the daemon would,
// so that a warning is about what they do and not about how they are written.
type prober struct {
	cfg      *Config
	compiler *policy.Compiler
	in, out  map[int]*policy.Program // by neighbor
}

func newProber(cfg *Config) *prober {
	return &prober{cfg, policy.NewCompiler(&cfg.Policies), map[int]*policy.Program{}, map[int]*policy.Program{}}
}

// onPremises stands for an AS behind a gateway or another NVA: public, so that no
// list of private or reserved ASNs holds it.
const onPremises = 3356

// learned is what neighbor i's import policy makes of a route that it sends; nil if
// it is rejected.
func (p *prober) learned(i int, prefix netip.Prefix, path ...uint32) *policy.Input {
	n := &p.cfg.Neighbors[i]
	prog := p.program(p.in, i, n.Import, false)
	if prog == nil {
		return nil
	}
	in := policy.Input{Prefix: prefix, Attrs: &route.Attrs{ASPath: route.NewASPath(path...), NextHop: n.Address}, From: n.Address, FromGroup: n.PeerGroup}
	out := prog.Run(&in)
	if !out.Accept {
		return nil
	}
	in.Attrs, in.Weight, in.Tag = out.Attrs, out.Weight, out.Tag
	return &in
}

// local is what a route-map makes of a route that begins here; nil if it is denied.
func (p *prober) local(prefix netip.Prefix, source route.Source, routeMap string) *policy.Input {
	prog, err := p.compiler.Compile(OriginChain(routeMap), p.cfg.OriginSession())
	if err != nil {
		return nil
	}
	in := policy.Input{Prefix: prefix, Attrs: &route.Attrs{}, Source: source}
	out := prog.Run(&in)
	if !out.Accept {
		return nil
	}
	in.Attrs, in.Weight, in.Tag = out.Attrs, out.Weight, out.Tag
	return &in
}

// sent is what neighbor i gets of a route; nil if its export policy denies it.
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

// program is compiled once; nil if the chain has a fault.
func (p *prober) program(known map[int]*policy.Program, i int, c policy.Chain, export bool) *policy.Program {
	prog, ok := known[i]
	if !ok {
		prog, _ = p.compiler.Compile(c, p.cfg.Session(&p.cfg.Neighbors[i], export))
		known[i] = prog
	}
	return prog
}

// feeds reports whether routes of neighbor from, in which AS 65515 may be, are for
// Route Server to: those of another one, and those of other NVAs.
func (c *Config) feeds(from, to *Neighbor) bool {
	if c.IsRouteServer(from) {
		return serverOf(from) != serverOf(to)
	}
	return from.RemoteASN == from.OwnASN(c)
}

// serverOf is what the instances of one Route Server have in common.
func serverOf(n *Neighbor) string { return cmp.Or(n.Domain, domainOf(n.Address)) }

// probes is prefixes to try on the policies: some that no file names, and those that
// its prefix-lists permit and that are not announced by the NVA itself.
func (c *Config) probes() []netip.Prefix {
	own := map[netip.Prefix]bool{}
	for _, n := range c.Networks {
		own[n.Prefix] = true
	}
	for _, a := range c.Aggregates {
		own[a.Prefix] = true
	}
	out := []netip.Prefix{netip.MustParsePrefix("10.251.0.0/16"), netip.MustParsePrefix("172.30.0.0/16"), netip.MustParsePrefix("192.168.251.0/24")}
	for _, name := range sortedKeys(c.Policies.PrefixLists) {
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

// maxProbes bounds the work where a file has very long lists.
const maxProbes = 64

// serverLoops reports export policies by which Route Server gets paths that hold its
// own ASN, all of which it drops.
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
				w.warn("own-asn", w.places(i, "export"), "what %s learned from Azure goes to Route Server with AS %d still in the path, and Route Server drops "+
					"every path that holds its own ASN; set as-path-replace = \"%[2]d\" in the export route-map, or as-override = true", from.Address, routeServerASN)
				break
			}
		}
	}
}

// defaultToServer reports, once, that a default route goes to a Route Server.
func (w *warner) defaultToServer(p *prober) {
	for i := range w.cfg.Neighbors {
		if n := &w.cfg.Neighbors[i]; w.cfg.IsRouteServer(n) {
			if key := w.defaultFor(p, i); key != "" {
				w.warn("default-to-azure", key, "a default route goes to Route Server %s, which programs it on every NIC of the VNet, this NVA's own included: "+
					"without a user-defined route 0.0.0.0/0 to Internet on the NVA's subnet, which nvad can't see, its own packets come back to it in a loop; "+
					"make sure that it exists, or deny 0.0.0.0/0 in export", serverOf(n))
				return
			}
		}
	}
}

// defaultFor is the keys that make neighbor i, a Route Server, get a default route,
// as far as the file tells; empty if none does. That one is learned, it tells by
// allow-default alone.
func (w *warner) defaultFor(p *prober, i int) string {
	def := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	n := &w.cfg.Neighbors[i]
	if n.DefaultOriginate && (n.DefaultOriginateMap == "" || p.local(def, route.SourceNetwork, n.DefaultOriginateMap) != nil) {
		return w.places(i, "default-originate")
	}
	for j, o := range w.cfg.Networks {
		if o.Prefix == def && p.sent(i, p.local(def, route.SourceNetwork, o.RouteMap)) != nil {
			return w.src.elem("network", j, o.Prefix) + ".prefix"
		}
	}
	for j, o := range w.cfg.Aggregates {
		if o.Prefix == def && p.sent(i, p.local(def, route.SourceAggregate, o.RouteMap)) != nil {
			return w.src.elem("aggregate", j, o.Prefix) + ".prefix"
		}
	}
	for j, o := range w.cfg.Redistributes {
		source, _ := route.ParseSource(o.Source)
		static := slices.ContainsFunc(w.cfg.Statics, func(s Static) bool { return s.Prefix == def })
		if (source == route.SourceKernel || source == route.SourceStatic && static) && p.sent(i, p.local(def, source, o.RouteMap)) != nil {
			return w.src.elem("redistribute", j, o.Source) + ".source"
		}
	}
	for j := range w.cfg.Neighbors {
		if w.cfg.Kernel.AllowDefault && w.learnsDefault(p, j, i) {
			return w.places(i, "export")
		}
	}
	return ""
}

// learnsDefault reports whether Route Server i would get a default route that
// neighbor j sends.
func (w *warner) learnsDefault(p *prober, j, i int) bool {
	def := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	n, from := &w.cfg.Neighbors[i], &w.cfg.Neighbors[j]
	paths := [][]uint32{{from.RemoteASN}}
	switch {
	case w.cfg.feeds(from, n):
		paths = [][]uint32{nil, {routeServerASN}, {onPremises}}
	case w.cfg.IsRouteServer(from):
		return false // the same one's
	}
	return slices.ContainsFunc(paths, func(path []uint32) bool { return p.sent(i, p.learned(j, def, path...)) != nil })
}

// privateASNs reports policies that reject whatever holds a private ASN where that
// is all that Azure teaches: 65515, which begins every path of Route Server, is one.
func (w *warner) privateASNs() {
	const msg = `"private" includes AS 65515, which begins every path that Route Server announces: %s; use "reserved"`
	servers := slices.ContainsFunc(w.cfg.Neighbors, func(n Neighbor) bool { return w.cfg.IsRouteServer(&n) })
	for i := range w.cfg.Neighbors {
		n := &w.cfg.Neighbors[i]
		internal := n.RemoteASN == n.OwnASN(w.cfg)
		switch {
		case n.RemoteASN == routeServerASN && !internal:
			w.private(i, "import", n.Import, msg, "all of its routes are rejected")
		case internal && servers:
			w.private(i, "import", n.Import, msg, "all that other NVAs learned from Azure is rejected")
			w.private(i, "export", n.Export, msg, "nothing learned from Azure reaches the other NVA")
		}
	}
}

// private looks at one chain: at its deny-asns, and at clauses of its route-map that
// deny for this reason alone.
func (w *warner) private(i int, key string, c policy.Chain, msg, effect string) {
	if c.DenyASNs&policy.Private != 0 {
		w.warn("private-asns", w.places(i, key+".deny-asns"), msg, effect)
	}
	for j, clause := range w.cfg.Policies.RouteMaps[c.RouteMap] {
		set, _ := policy.ParseBogons(clause.Match.Bogons)
		if !clause.Permit && set&policy.Private != 0 && clause.Match == (policy.Match{Bogons: clause.Match.Bogons}) {
			w.warn("private-asns", w.src.elem("route-map."+c.RouteMap, j, clause.Seq)+".match.bogons", msg, effect)
		}
	}
}
