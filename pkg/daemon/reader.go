package daemon

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
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
	out := api.Status{Status: s, Host: hostName()}
	out.Warnings = append(d.degraded(), out.Warnings...)
	routes, err := d.plane.Tally(ctx)
	if err != nil {
		return out, err
	}
	out.Config = d.configState()
	out.FIBWanted, out.FIBInstalled = routes.Wanted, routes.Installed
	if out.NICs, err = d.plane.NICs(ctx); err != nil {
		return out, err
	}
	tunnels, err := d.Tunnels(ctx)
	for _, t := range tunnels {
		out.Tunnels++
		if t.State == "up" {
			out.TunnelsUp++
		}
		if t.Warning != "" {
			out.Warnings = append(out.Warnings, config.Warning{Key: "tunnel." + t.Name, Code: "mtu", Msg: t.Warning})
		}
	}
	if err != nil {
		return out, err
	}
	out.TunnelPeers, out.TunnelPeersUp = tunnelPeers(tunnels)
	neighbors, err := d.Neighbors(ctx)
	out.Problems = problems(d.config.get(), &s, neighbors, tunnels)
	return out, err
}

// Links implements api.Reader.
func (d *daemon) Links(ctx context.Context) ([]fib.Link, error) { return d.plane.Links(ctx) }

// Events implements api.Reader.
func (d *daemon) Events() *watch.Hub { return d.changes }

// Neighbors implements api.Reader.
func (d *daemon) Neighbors(ctx context.Context) ([]engine.NeighborView, error) {
	return d.ask.neighbors(ctx)
}

func (d *daemon) askNeighbors(ctx context.Context) ([]engine.NeighborView, error) {
	list, err := d.engine.Neighbors(ctx)
	sessions := d.liveness.sessions()
	for i := range list {
		if s, ok := sessions[list[i].Address]; ok {
			list[i].BFD = bfdView(s)
		}
	}
	return list, err
}

// Summaries implements api.Reader.
func (d *daemon) Summaries(ctx context.Context, neighbor netip.Addr) ([]route.Summary, error) {
	return d.engine.Summaries(ctx, neighbor)
}

func bfdView(s bfd.Status) *engine.BFDView {
	return &engine.BFDView{
		State: s.State.String(), RemoteState: s.RemoteState.String(), Local: s.Key.Local, Multihop: s.Key.Multihop,
		Since: s.Since, Detection: s.DetectionTime, TxInterval: s.TxInterval, RxInterval: s.RxInterval,
		Multiplier: int(s.Multiplier), RemoteMultiplier: int(s.RemoteMultiplier), Flaps: s.Flaps,
		LastDown: s.LastDown, Error: s.Error, PacketsIn: s.PacketsIn, PacketsOut: s.PacketsOut,
		Authenticated: s.Authenticated, Refused: s.Refused, LastRefused: s.LastRefused,
	}
}

// PolicyHits implements api.Reader.
func (d *daemon) PolicyHits(ctx context.Context, neighbor netip.Addr) ([]engine.PolicyHits, error) {
	hits, err := d.engine.PolicyHits(ctx, neighbor)
	return hits, apiError(err)
}

// Routes implements api.Reader.
func (d *daemon) Routes(ctx context.Context, q api.RouteQuery, yield func(engine.PathView) error) error {
	table := map[api.RouteKind]engine.Table{
		api.LocRIB: engine.LocRIB, api.Received: engine.AdjRIBIn, api.Accepted: engine.AdjRIBInAccepted,
		api.Rejected: engine.AdjRIBInRejected, api.Advertised: engine.AdjRIBOut,
	}[q.Kind]
	return apiError(d.engine.Routes(ctx, engine.Query{
		Table: table, Neighbor: q.Neighbor, Prefix: q.Prefix, Longer: q.Longer, Address: q.Address, Filter: q.Filter,
	}, yield))
}

// apiError gives the engine's errors the code a client is told.
func apiError(err error) error {
	if errors.Is(err, engine.ErrNoNeighbor) || errors.Is(err, engine.ErrNoRoute) {
		return api.NotFound("%s", err)
	}
	return err
}

// FIB implements api.Reader.
func (d *daemon) FIB(ctx context.Context, yield func(engine.FIBView) error) error {
	derived, err := d.engine.Derived(ctx)
	if err != nil {
		return err
	}
	return d.plane.Routes(ctx, func(e fib.Status) error {
		if e.Second {
			return nil // for the kernel alone
		}
		v := fibView(e)
		if e.Protocol == fib.Static.String() && slices.ContainsFunc(derived, func(s config.Static) bool { return s.Prefix == e.Prefix }) {
			v.Class = "derived"
		}
		return yield(v)
	})
}

func fibView(s fib.Status) engine.FIBView {
	return engine.FIBView{
		Prefix: s.Prefix, Class: s.Protocol, Kind: s.Kind.String(), Metric: s.Metric, Source: s.Source,
		NextHops: hopViews(s.Hops), Backup: hopViews(s.Backup), State: s.State.String(), Reason: s.Reason, Since: s.Since,
	}
}

func hopViews(hops []fib.Hop) []engine.HopView {
	var out []engine.HopView
	for _, h := range hops {
		out = append(out, engine.HopView{Via: h.Via, Device: h.Device, Weight: int(h.Weight)})
	}
	return out
}

// protected are the addresses whose path no learned route may spoil.
func protected(cfg *config.Config) []fib.Protected {
	var out []fib.Protected
	add := func(a netip.Addr, why string, p fib.Protected) {
		p.Addr, p.Why = a, why
		out = append(out, p)
	}
	add(netip.AddrFrom4([4]byte{168, 63, 129, 16}), "Azure's platform address", fib.Protected{})
	add(netip.AddrFrom4([4]byte{169, 254, 169, 254}), "Azure's metadata service", fib.Protected{})
	for _, a := range cfg.Kernel.Protected {
		add(a, "kernel.protected", fib.Protected{})
	}
	for _, t := range cfg.Tunnels {
		for _, r := range t.Remotes {
			add(r, "remote of tunnel "+t.Name, fib.Protected{NotBy: []string{t.Name}})
		}
	}
	for _, n := range cfg.Neighbors {
		add(n.Address, "neighbor "+n.Address.String(), fib.Protected{Neighbor: true})
	}
	return out
}

// hostName is the machine's; empty if it can't be read.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
