package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
)

// Prepare opens what the sessions of cfg need, and fails if that is not possible.
// Nothing changes for the neighbors. Apply after a failure works without what failed,
// and keeps trying to open it.
func (e *Engine) Prepare(ctx context.Context, cfg *config.Config) error {
	var failed error
	err := e.do(ctx, func() { failed = e.opt.Speaker.Prepare(e.sessions(cfg), e.ranges(cfg)...) })
	return errors.Join(err, failed)
}

// Apply makes cfg the running configuration. Policies are compiled before anything
// changes: on an error the running configuration stays. Sessions whose settings do
// not change are not touched. Once begun, Apply completes even if ctx ends, since the
// daemon's other parts follow cfg too.
func (e *Engine) Apply(ctx context.Context, cfg *config.Config) error {
	c, err := compile(cfg)
	origin, err2 := compileOrigination(cfg, e.opt.Interner)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	return e.do(context.WithoutCancel(ctx), func() { e.apply(c, origin) })
}

func (e *Engine) apply(c *compiled, origin *origination) {
	cfg := c.cfg
	e.expectOutcome(cfg)
	e.configured = true
	e.cfg, e.compiled, e.origin, e.warnings.file = cfg, c, origin, config.Warnings(cfg)
	e.rib.SetDrain(e.drains.forRIB(cfg))
	e.rib.SetForwarding(forwarding(cfg))
	e.rib.SetDomains(rangeHasDomain(cfg))
	e.relocate()
	now := time.Now()
	all := e.members(c)
	for addr, n := range e.neighbors {
		if !all.has(addr) {
			e.removed(n, now)
			e.rib.RemovePeer(addr)
			delete(e.neighbors, addr)
		}
	}
	for _, m := range all {
		n := e.neighbors[m.Address]
		if n == nil {
			n = &neighbor{since: now}
			e.neighbors[m.Address] = n
		}
		n.setConfig(m.Neighbor)
		if n.up != nil {
			e.opt.Speaker.SetLimit(m.Address, n.up.Session, m.MaximumPrefixOut)
		}
		e.rib.SetPeer(m.peer)
	}
	for addr, n := range e.neighbors {
		e.checkLimit(addr, n)
	}
	e.protect()
	e.setStatics(true)
	e.rib.SetAggregates(origin.aggregates)
	e.originate()
	e.configureSpeaker()
	if e.outcome.pending() {
		e.outcome.applied = true
	}
}

func rangeHasDomain(cfg *config.Config) bool {
	return slices.ContainsFunc(cfg.Ranges, func(r config.Range) bool { return r.Domain != "" })
}

func forwarding(cfg *config.Config) rib.Forwarding {
	k := &cfg.Kernel
	return rib.Forwarding{
		MaxPaths: k.MaxPaths, MultipathRelax: k.MultipathRelax, ResolveDefault: k.ResolveDefault, AllowDefault: k.AllowDefault,
	}
}

// configureSpeaker configures the sessions: those of the file, without neighbors that
// an operator or a limit has shut down.
func (e *Engine) configureSpeaker() {
	for addr, n := range e.neighbors {
		if n.isShutdown() {
			e.forgetKept(addr, n)
		}
		e.dismiss(addr, n)
	}
	e.watch()
	e.opt.Speaker.Configure(e.sessions(e.cfg), e.ranges(e.cfg)...)
}

// sessions returns the sessions of cfg. Those shut down at run time stay disabled.
func (e *Engine) sessions(cfg *config.Config) []speaker.Neighbor {
	list := e.configuredSessions(cfg)
	for i := range list {
		if n := e.neighbors[list[i].Address]; n != nil && n.held != "" {
			list[i].Disabled = true
		}
	}
	return append(list, e.heldSessions(cfg)...)
}

// configuredSessions returns the sessions of cfg, without regard to shutdowns at run
// time. One that has no address to start from is disabled.
func (e *Engine) configuredSessions(cfg *config.Config) []speaker.Neighbor {
	var list []speaker.Neighbor
	for _, c := range cfg.Neighbors {
		c = e.located(c, c.Address)
		s := session(cfg, c)
		s.Disabled = c.Shutdown || unlocated(&c) != ""
		list = append(list, s)
	}
	return list
}

func session(cfg *config.Config, n config.Neighbor) speaker.Neighbor {
	s := speaker.Neighbor{
		Address: n.Address, Port: n.Port, LocalAddress: n.LocalAddress,
		LocalASN: n.OwnASN(cfg), RemoteASN: n.RemoteASN, Role: n.Role, RoleStrict: n.RoleStrict, Families: n.Families,
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
		for _, g := range s.Hops() {
			out = append(out, rib.Static{
				Prefix: s.Prefix, Via: g.Address, Device: g.Device, Blackhole: s.Blackhole,
				Distance: s.Distance, Metric: cfg.MetricOf(s), Source: s.Source,
			})
		}
	}
	return out
}
