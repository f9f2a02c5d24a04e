package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/health"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

var _ api.Reader = (*daemon)(nil)

// Status implements api.Reader.
func (d *daemon) Status(ctx context.Context) (api.Status, error) { return d.ask.status(ctx) }

func (d *daemon) askStatus(ctx context.Context) (api.Status, error) {
	if !d.startup.isDone() {
		return d.statusOfStart(), nil
	}
	s, err := d.engine.Status(ctx)
	if err != nil {
		return api.Status{}, err
	}
	out := api.Status{Status: s, Host: hostName(), Time: time.Now(), Config: d.configState()}
	out.Warnings = append(d.degraded(), out.Warnings...)
	if out.FIB, err = d.plane.Tally(ctx); err != nil {
		return out, err
	}
	if out.NICs, err = d.plane.NICs(ctx); err != nil {
		return out, err
	}
	tunnels, err := d.Tunnels(ctx)
	if err != nil {
		return out, err
	}
	for _, t := range tunnels {
		out.Tunnels++
		if t.State == "up" {
			out.TunnelsUp++
		}
		out.Warnings = append(out.Warnings, mtuWarning(&t.Status)...)
	}
	out.TunnelPeers, out.TunnelPeersUp = tunnelPeers(tunnels)
	out.Azure, out.Stations = d.polls.state(time.Now()), d.stations.Status()
	vitals, err := d.ask.vitals(ctx)
	if err != nil {
		return out, err
	}
	out.Unhealthy = health.Problems(d.config.get().Health, vitals)
	neighbors, err := d.Neighbors(ctx)
	out.Problems = problems(d.config.get(), &s, neighbors, tunnels)
	return out, err
}

// mtuWarning warns of a tunnel whose MTU does not fit.
func mtuWarning(t *tunnel.Status) []config.Warning {
	if t.Warning == "" {
		return nil
	}
	return []config.Warning{{Key: "tunnel." + t.Name, Code: "mtu", Msg: t.Warning}}
}

// hostName is the machine's; empty if it can't be read.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// Links implements api.Reader.
func (d *daemon) Links(ctx context.Context) ([]fib.Link, error) { return d.plane.Links(ctx) }

// Events implements api.Reader.
func (d *daemon) Events() *watch.Hub { return d.changes }

// Past implements api.Reader.
func (d *daemon) Past(ctx context.Context) (api.Past, error) { return d.chronicle.past(ctx) }

// Neighbors implements api.Reader.
func (d *daemon) Neighbors(ctx context.Context) ([]api.Neighbor, error) { return d.ask.neighbors(ctx) }

func (d *daemon) askNeighbors(ctx context.Context) ([]api.Neighbor, error) {
	list, err := d.engine.Neighbors(ctx)
	sessions := d.liveness.sessions()
	out := make([]api.Neighbor, len(list))
	for i, n := range list {
		out[i].NeighborStatus = n
		if s, ok := sessions[n.Address]; ok {
			out[i].BFD = &s
		}
	}
	return out, err
}

// Ranges implements api.Reader.
func (d *daemon) Ranges(ctx context.Context) ([]engine.Range, error) { return d.ask.ranges(ctx) }

func (d *daemon) askRanges(ctx context.Context) ([]engine.Range, error) { return d.engine.Ranges(ctx) }

// Summaries implements api.Reader.
func (d *daemon) Summaries(ctx context.Context, neighbor netip.Addr) ([]route.Summary, error) {
	return d.engine.Summaries(ctx, neighbor)
}

// PolicyHits implements api.Reader.
func (d *daemon) PolicyHits(ctx context.Context, neighbor netip.Addr) ([]engine.PolicyHits, error) {
	return d.engine.PolicyHits(ctx, neighbor)
}

// Routes implements api.Reader.
func (d *daemon) Routes(ctx context.Context, q engine.Query, yield func(engine.Path) error) error {
	return d.engine.Routes(ctx, q, yield)
}

// NAT implements api.Reader. The rules that guard tunnels are shown with the tunnels.
// Others share the answer, so that it must not be changed.
func (d *daemon) NAT(ctx context.Context) ([]nat.Status, error) {
	list, err := d.ask.nat(ctx)
	return slices.DeleteFunc(slices.Clone(list), func(s nat.Status) bool { return s.Rule.Tunnel != "" }), err
}

func (d *daemon) askNAT(ctx context.Context) ([]nat.Status, error) { return d.plane.NAT(ctx) }

// FIB implements api.Reader.
func (d *daemon) FIB(ctx context.Context, yield func(api.FIBRoute) error) error {
	derived, err := d.engine.Derived(ctx)
	if err != nil {
		return err
	}
	return d.plane.Routes(ctx, func(r fib.Status) error {
		if r.Second {
			return nil // for the kernel alone
		}
		return yield(api.FIBRoute{Status: r, Derived: r.Protocol == fib.Static.String() &&
			slices.ContainsFunc(derived, func(s config.Static) bool { return s.Prefix == r.Prefix })})
	})
}

// Explain implements api.Reader.
func (d *daemon) Explain(ctx context.Context, q rib.ExplainQuery) (x api.Explanation, err error) {
	if x.Explanation, err = d.engine.Explain(ctx, q); err != nil {
		return x, err
	}
	x.Kernel, x.Others, err = d.plane.Route(ctx, q.Prefix)
	x.Kernel = slices.DeleteFunc(x.Kernel, func(r fib.Status) bool { return r.Second })
	x.Azure = d.polls.of(time.Now(), q.Prefix, false)
	return x, err
}

// Lookup implements api.Reader.
func (d *daemon) Lookup(ctx context.Context, addr netip.Addr) (api.Lookup, error) {
	out := api.Lookup{Address: addr, Azure: d.polls.of(time.Now(), netip.PrefixFrom(addr, addr.BitLen()), true)}
	found, err := kernel.Lookup(kernel.Namespace{}, addr)
	if err != nil {
		return out, err
	}
	if out.Way, err = d.way(ctx, found); err != nil || found.Fate != fib.FateForwarded {
		return out, err
	}
	out.Tunnel, err = d.encapsulation(ctx, addr, found)
	return out, err
}

// way adds to the kernel's answer what nvad knows of the route.
func (d *daemon) way(ctx context.Context, found fib.Lookup) (api.Way, error) {
	w := api.Way{Lookup: found}
	if !w.Prefix.IsValid() {
		return w, nil
	}
	if w.Fate == fib.FateLocal {
		w.Link = d.linkOf(ctx, w.Prefix.Addr(), w.Link)
	}
	own, _, err := d.plane.Route(ctx, w.Prefix)
	if err != nil {
		return w, err
	}
	for _, r := range own {
		if r.State != fib.Installed || r.Metric != w.Metric {
			continue
		}
		w.Own = r.Protocol
		if w.Own == fib.BGP.String() {
			err = d.engine.Routes(ctx, engine.Query{Table: engine.LocRIB, Prefix: w.Prefix}, func(p engine.Path) error {
				if p.Best {
					w.Neighbor, w.ASPath = p.Neighbor, p.Attrs.ASPath
				}
				return nil
			})
		}
	}
	return w, err
}

// linkOf returns the link that has a local address. The kernel itself names lo.
func (d *daemon) linkOf(ctx context.Context, addr netip.Addr, otherwise int) int {
	links, err := d.plane.Links(ctx)
	if err != nil {
		return otherwise
	}
	for _, l := range links {
		if slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == addr }) {
			return l.Index
		}
	}
	return otherwise
}

// encapsulation follows a packet for addr into a tunnel; nil if it enters none.
func (d *daemon) encapsulation(ctx context.Context, addr netip.Addr, w fib.Lookup) (*api.Encapsulation, error) {
	tunnels, err := d.plane.Tunnels(ctx)
	if err != nil {
		return nil, err
	}
	links, err := d.plane.Links(ctx)
	if err != nil {
		return nil, err
	}
	device := slices.IndexFunc(links, func(l fib.Link) bool { return l.Index == w.Link })
	i := slices.IndexFunc(tunnels, func(t tunnel.Status) bool { return device >= 0 && t.Name == links[device].Name })
	if i < 0 {
		return nil, nil
	}
	out := &api.Encapsulation{Status: tunnels[i]}
	if w.Via.IsValid() {
		addr = w.Via
	}
	remotes, err := outerRemotes(out, w.Link, addr)
	if err != nil {
		return nil, err
	}
	for _, r := range remotes {
		found, err := kernel.Lookup(kernel.Namespace{}, r)
		if err != nil {
			return nil, fmt.Errorf("outer packet: %w", err)
		}
		way, err := d.way(ctx, found)
		if err != nil {
			return nil, err
		}
		out.Outer = append(out.Outer, api.Outer{Remote: r, Way: way})
	}
	return out, nil
}

// outerRemotes returns where the outer packets for an address in a tunnel go.
func outerRemotes(out *api.Encapsulation, link int, addr netip.Addr) ([]netip.Addr, error) {
	if out.WireGuard != nil {
		if end := out.Peer.Endpoint.Addr(); end.IsValid() {
			return []netip.Addr{end}, nil
		}
		return nil, nil // the peer has not called yet
	}
	one, err := kernel.OuterRemote(kernel.Namespace{}, link, addr)
	switch {
	case err != nil:
		return nil, err
	case one.IsValid():
		out.Learned = true
		return []netip.Addr{one}, nil
	case out.Group.IsValid():
		return []netip.Addr{out.Group}, nil
	}
	return out.Remotes, nil
}
