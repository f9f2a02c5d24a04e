package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
)

// Prepare opens what the sessions of cfg need, and fails if that is not possible.
// Nothing changes for the neighbors. Apply after a failure works without what failed,
// and keeps trying to open it.
func (e *Engine) Prepare(ctx context.Context, cfg *config.Config) error {
	var failed error
	err := e.do(ctx, func() { failed = e.opt.Speaker.Prepare(e.sessions(cfg)) })
	return errors.Join(err, failed)
}

// Apply makes cfg the running configuration. Policies are compiled before anything
// changes: on an error the running configuration stays. Sessions whose settings do
// not change are not touched. Once begun, Apply completes even if ctx ends, since the
// daemon's other parts follow cfg too.
func (e *Engine) Apply(ctx context.Context, cfg *config.Config) error {
	peers, err := compile(cfg)
	origin, err2 := compileOrigination(cfg, e.opt.Interner)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	return e.do(context.WithoutCancel(ctx), func() { e.apply(cfg, peers, origin) })
}

func (e *Engine) apply(cfg *config.Config, peers []rib.Peer, origin *origination) {
	e.expectOutcome(cfg)
	e.configured = true
	e.cfg, e.origin, e.warnings.file = cfg, origin, config.Warnings(cfg)
	e.rib.SetDrain(e.drains.forRIB(cfg))
	e.rib.SetForwarding(cfg.Kernel.MaxPaths, cfg.Kernel.ResolveDefault)
	now := time.Now()
	for addr, n := range e.neighbors {
		if !configured(cfg, addr) {
			e.removed(n, now)
			e.rib.RemovePeer(addr)
			delete(e.neighbors, addr)
		}
	}
	for i, c := range cfg.Neighbors {
		n := e.neighbors[c.Address]
		if n == nil {
			n = &neighbor{since: now}
			e.neighbors[c.Address] = n
		}
		n.setConfig(c)
		if n.up != nil {
			e.opt.Speaker.SetLimit(c.Address, n.up.Session, c.MaximumPrefixOut)
		}
		e.rib.SetPeer(peers[i])
	}
	for addr, n := range e.neighbors {
		e.checkLimit(addr, n)
	}
	e.setStatics(true)
	e.rib.SetAggregates(origin.aggregates)
	e.originate()
	e.configureSpeaker()
	if e.outcome.pending() {
		e.outcome.applied = true
	}
}

func configured(cfg *config.Config, addr netip.Addr) bool {
	for i := range cfg.Neighbors {
		if cfg.Neighbors[i].Address == addr {
			return true
		}
	}
	return false
}

// configureSpeaker configures the sessions: those of the file, without neighbors that
// an operator or a limit has shut down.
func (e *Engine) configureSpeaker() {
	for addr, n := range e.neighbors {
		if n.isShutdown() {
			e.forgetKept(addr, n)
		}
	}
	e.watch()
	e.opt.Speaker.Configure(e.sessions(e.cfg))
}

// sessions returns the sessions of cfg. Those shut down at run time stay disabled.
func (e *Engine) sessions(cfg *config.Config) []speaker.Neighbor {
	list := configuredSessions(cfg)
	for i := range list {
		if n := e.neighbors[list[i].Address]; n != nil && n.held != "" {
			list[i].Disabled = true
		}
	}
	return list
}

// configuredSessions returns the sessions of cfg, without regard to shutdowns at run
// time.
func configuredSessions(cfg *config.Config) []speaker.Neighbor {
	var list []speaker.Neighbor
	for _, c := range cfg.Neighbors {
		s := session(cfg, c)
		s.Disabled = c.Shutdown
		list = append(list, s)
	}
	return list
}

func session(cfg *config.Config, n config.Neighbor) speaker.Neighbor {
	s := speaker.Neighbor{
		Address: n.Address, Port: n.Port, LocalAddress: n.LocalAddress,
		LocalASN: n.OwnASN(cfg), RemoteASN: n.RemoteASN, Role: n.Role, Families: n.Families,
		Passive: n.Passive, HoldTime: n.HoldTime, Keepalive: n.Keepalive,
		MaxASPath: n.MaximumASPath, MaxAttributes: n.MaximumAttributes,
		CountsIncoming: n.MaximumPrefixOutCount == config.CountIncoming,
		MultihopTTL:    uint8(n.EBGPMultihop), TTLSecurity: uint8(n.TTLSecurity), Password: n.Password,
	}
	if n.GracefulRestart {
		s.RestartTime = n.RestartTime
	}
	return s
}

// compile compiles the neighbors' policies to Programs, in the order of cfg.Neighbors.
func compile(cfg *config.Config) ([]rib.Peer, error) {
	out := make([]rib.Peer, 0, len(cfg.Neighbors))
	var errs []error
	c := policy.NewCompiler(&cfg.Policies)
	for _, n := range cfg.Neighbors {
		p, err := compilePeer(cfg, c, n)
		if err != nil {
			errs = append(errs, fmt.Errorf("neighbor %s: %w", n.Address, err))
		}
		out = append(out, p)
	}
	return out, errors.Join(errs...)
}

func compilePeer(cfg *config.Config, c *policy.Compiler, n config.Neighbor) (rib.Peer, error) {
	in, err1 := c.Compile(n.Import, cfg.Session(&n, false))
	out, err2 := c.Compile(n.Export, cfg.Session(&n, true))
	p := rib.Peer{
		Address:         n.Address,
		SessionSettings: rib.SessionSettings{LocalASN: n.OwnASN(cfg), RemoteASN: n.RemoteASN, Role: n.Role},
		SourceSettings: rib.SourceSettings{
			Group: n.PeerGroup, Domain: n.Domain, Weight: n.Weight, ReflectorClient: n.RouteReflectorClient,
		},
		ImportSettings: rib.ImportSettings{
			Import: in, AllowASIn: n.AllowASIn, EnforceFirstAS: n.EnforceFirstAS, AllowASSets: n.AllowASSets,
		},
		ExportSettings: rib.ExportSettings{
			Export: out, NextHopSelf: n.NextHopSelf, NextHopSelfForce: n.NextHopSelfForce, ASOverride: n.ASOverride,
			RemovePrivateAS: n.RemovePrivateAS, ReplacePrivateAS: n.ReplacePrivateAS, MaxAdvertised: n.MaximumPrefixOut,
		},
	}
	if n.MaximumPrefixAction == config.ActionDiscard {
		p.MaxReceived = n.MaximumPrefix
	}
	p.Ignored.VNet = n.VNet
	if cfg.IsRouteServer(&n) {
		p.Ignored.Subnet = config.ServerSubnets(n.Address)
	}
	var err3 error
	if n.DefaultOriginate {
		p.Default, err3 = c.Compile(n.DefaultChain(), cfg.Session(&n, true))
	}
	return p, errors.Join(err1, err2, err3)
}

// setStatics gives the RIB the static routes, those of the file and the derived ones.
// Fresh says that those of the file may have changed.
func (e *Engine) setStatics(fresh bool) {
	if len(e.kernel.Links) > 0 && e.derived.derive(e.cfg, e.kernel) {
		e.logDerived()
		fresh = true
	}
	if fresh {
		e.rib.SetStatics(statics(e.cfg, slices.Concat(e.cfg.Statics, e.derived.routes)))
	}
}

func statics(cfg *config.Config, list []config.Static) []rib.Static {
	out := make([]rib.Static, 0, len(list))
	for _, s := range list {
		out = append(out, rib.Static{
			Prefix: s.Prefix, Via: s.Via, Device: s.Device, Blackhole: s.Blackhole,
			Metric: cfg.MetricOf(s), Source: s.Source,
		})
	}
	return out
}
