package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
)

// origination is everything that a configuration originates, with its route-maps
// compiled.
type origination struct {
	networks   []network
	aggregates []rib.Aggregate
	others     []redistribution
}

// network is originated always or, if it is checked, while there is a route for it.
type network struct {
	rib.Local
	checked bool
}

// redistribution originates the static, connected or kernel routes.
type redistribution struct {
	source  route.Source
	program *policy.Program
}

// candidate is a route that a redistribution may originate.
type candidate struct {
	prefix netip.Prefix
	metric uint32
	floats bool // it is a static route that may give way to BGP
}

// compileOrigination compiles what cfg originates. It runs the route-maps of networks
// and aggregates at once, since nothing they depend on changes before the next reload.
func compileOrigination(cfg *config.Config, in *route.Interner) (*origination, error) {
	o, c := &origination{}, policy.NewCompiler(&cfg.Policies)
	var errs []error
	program := func(what string, routeMap string) *policy.Program {
		p, err := c.Compile(config.OriginChain(routeMap), cfg.OriginSession())
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
		return p
	}
	for _, n := range cfg.Networks {
		p := program("network "+n.Prefix.String(), n.RouteMap)
		if a := originated(p, in, n.Prefix, route.SourceNetwork, route.Attrs{MED: route.Some(0)}); a != nil {
			o.networks = append(o.networks, network{rib.Local{Prefix: n.Prefix, Source: route.SourceNetwork, Attrs: a}, n.ImportCheck})
		}
	}
	for _, n := range cfg.Aggregates {
		p := program("aggregate "+n.Prefix.String(), n.RouteMap)
		if a := originated(p, in, n.Prefix, route.SourceAggregate, aggregateAttrs(cfg)); a != nil {
			o.aggregates = append(o.aggregates, rib.Aggregate{Prefix: n.Prefix, SummaryOnly: n.SummaryOnly, Attrs: a})
		}
	}
	for _, n := range cfg.Redistributes {
		source, _ := route.ParseSource(n.Source)
		o.others = append(o.others, redistribution{source, program("redistribute "+n.Source, n.RouteMap)})
	}
	return o, errors.Join(errs...)
}

// aggregateAttrs returns the attributes of an aggregate before its route-map. It
// omits the AS paths of the parts, hence ATOMIC_AGGREGATE (RFC 4271 5.1.6).
func aggregateAttrs(cfg *config.Config) route.Attrs {
	return route.Attrs{
		AtomicAggregate: true,
		Aggregator:      route.Aggregator{ASN: cfg.ASN, Address: cfg.RouterID},
	}
}

// originated runs p on a route that begins here. It returns nil if p denies the route,
// or did not compile.
func originated(p *policy.Program, in *route.Interner, prefix netip.Prefix, s route.Source, a route.Attrs) *route.Attrs {
	if p == nil {
		return nil
	}
	out := p.Run(&policy.Input{Prefix: prefix, Attrs: in.Intern(a), Source: s})
	if !out.Accept {
		return nil
	}
	return in.Intern(*out.Attrs)
}

// locals returns everything that is originated, except aggregates: the networks, and
// the present routes of the other sources. If two have the same prefix, the first one
// counts.
func (o *origination) locals(in *route.Interner, held func(route.Source) []candidate) (out []rib.Local) {
	taken := map[netip.Prefix]bool{}
	present := o.present(held)
	for _, n := range o.networks {
		floats, exists := present[n.Prefix]
		if n.checked && !exists {
			continue
		}
		taken[n.Prefix], n.Floats = true, n.checked && floats
		out = append(out, n.Local)
	}
	for _, r := range o.others {
		for _, c := range held(r.source) {
			if taken[c.prefix] || !announceable(c.prefix) {
				continue
			}
			start := route.Attrs{Origin: route.OriginIncomplete, MED: route.Some(c.metric)}
			if a := originated(r.program, in, c.prefix, r.source, start); a != nil {
				taken[c.prefix] = true
				out = append(out, rib.Local{Prefix: c.prefix, Source: r.source, Attrs: a, Floats: c.floats})
			}
		}
	}
	return out
}

// present returns the prefixes with a route that import-check accepts, and whether it is
// only a floating static route; nil if no network is checked. Routes learned by BGP are not among them: if they were, two NVAs with the
// same network would each keep it because the other one announces it.
func (o *origination) present(held func(route.Source) []candidate) map[netip.Prefix]bool {
	if !slices.ContainsFunc(o.networks, func(n network) bool { return n.checked }) {
		return nil
	}
	out := map[netip.Prefix]bool{}
	for _, s := range []route.Source{route.SourceConnected, route.SourceStatic, route.SourceKernel} {
		for _, c := range held(s) {
			floats, twice := out[c.prefix]
			out[c.prefix] = c.floats && (floats || !twice)
		}
	}
	return out
}

// announceable refuses prefixes that have a meaning on one link only.
func announceable(p netip.Prefix) bool {
	a := p.Addr()
	return !a.IsLinkLocalUnicast() && !a.IsLoopback() && !a.IsMulticast()
}

// protocolKernel is the rtm_protocol of the routes that the kernel adds for the
// addresses of an interface.
const protocolKernel = 2

// metricIPv6 is the metric that the kernel gives the subnet of an IPv6 address without a
// metric of its own. For IPv4 that is 0.
const metricIPv6 = 256

// connectedCandidates returns the connected routes of the kernel, and the addresses
// that have none in table main: those of lo, and those without a subnet.
func connectedCandidates(f fib.Facts) []candidate {
	out := routeCandidates(f, true)
	for _, l := range f.Links {
		for _, p := range l.Addresses {
			if l.Up && (p.IsSingleIP() || l.Name == "lo") {
				out = append(out, candidate{prefix: p.Masked()})
			}
		}
	}
	return out
}

// routeCandidates returns the kernel's connected routes, or else those of other
// programs, with the lowest metric of each prefix. The kernel keeps the routes of a link
// that has lost its carrier; they lead nowhere and are left out.
func routeCandidates(f fib.Facts, connected bool) []candidate {
	var out []candidate
	up := map[int]bool{}
	for _, l := range f.Links {
		up[l.Index] = l.Up
	}
	at := map[netip.Prefix]int{}
	for _, k := range f.Routes {
		leads := len(k.Hops) == 0 || slices.ContainsFunc(k.Hops, func(h fib.NextHop) bool { return up[h.Link] })
		if (k.Protocol == protocolKernel) != connected || !leads {
			continue
		}
		metric := k.Metric
		if connected && k.Prefix.Addr().Is6() && metric == metricIPv6 {
			metric = 0
		}
		i, twice := at[k.Prefix]
		switch {
		case !twice:
			at[k.Prefix] = len(out)
			out = append(out, candidate{prefix: k.Prefix, metric: metric})
		case metric < out[i].metric:
			out[i].metric = metric
		}
	}
	return out
}

// staticCandidates returns the static routes that stand, with the metric that the file
// gives them.
func staticCandidates(cfg *config.Config, standing []rib.Static) []candidate {
	stands := map[netip.Prefix]rib.Static{}
	for _, s := range standing {
		stands[s.Prefix] = s
	}
	var out []candidate
	for _, s := range cfg.Statics {
		if r, ok := stands[s.Prefix]; ok && r.Distance == s.Distance && r.Metric == cfg.MetricOf(s) {
			out = append(out, candidate{s.Prefix, s.Metric, r.Floats()})
		}
	}
	return out
}

// originate updates what is originated after a change of the kernel's routes or the
// static ones.
func (e *Engine) originate() {
	list := e.locals(e.cfg, e.origin, e.rib)
	if !slices.Equal(list, e.local) {
		e.local = list
		e.rib.SetLocal(list)
	}
}

// locals returns what cfg, compiled to origin, originates with the present routes of
// the kernel and the static routes that stand in r.
func (e *Engine) locals(cfg *config.Config, origin *origination, r *rib.RIB) []rib.Local {
	return origin.locals(e.opt.Interner, func(s route.Source) []candidate {
		switch s {
		case route.SourceStatic:
			return staticCandidates(cfg, r.Standing())
		case route.SourceConnected:
			return connectedCandidates(e.kernel)
		default:
			return routeCandidates(e.kernel, false)
		}
	})
}
