package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker/gobgp"
)

// readyTime is the longest time until systemd is told that nvad is ready.
const readyTime = 30 * time.Second

// start brings up forwarding plane, sessions and engine, in this order, as parts of
// p, and applies the configuration. It waits for nothing once ctx has ended.
func (d *daemon) start(ctx context.Context, p *parts, c candidate) error {
	cfg := c.cfg
	k, err := kernel.Open(kernel.Namespace{})
	if err != nil {
		return fmt.Errorf("open the kernel's interfaces: %w", err)
	}
	engineReady := make(chan struct{})
	var first sync.Once
	d.plane, err = dataplane.New(d.planeOptions(cfg, k, func(f fib.Facts) {
		select {
		case <-engineReady:
			d.engine.SetFacts(f)
			d.speaker.Hint()
			d.liveness.manager.Hint()
			first.Do(func() { close(d.seen) })
		case <-p.ctx.Done():
		}
	}))
	if err != nil {
		return errors.Join(err, k.Close())
	}
	d.plane.SetWanted(wanted(cfg))
	p.run("forwarding plane", func(ctx context.Context) error {
		return errors.Join(d.plane.Run(ctx), k.Close())
	})
	restarting, err := d.leftovers(ctx)
	if err != nil {
		return err
	}
	if err := d.findIdentity(ctx, cfg); err != nil {
		return err
	}
	if err := d.startEngine(p, d.complete(cfg), restarting); err != nil {
		return err
	}
	close(engineReady)
	return d.apply(ctx, c, false)
}

func (d *daemon) planeOptions(cfg *config.Config, k *kernel.Kernel, onFacts func(fib.Facts)) dataplane.Options {
	return dataplane.Options{
		FIB: k.FIB, Tunnels: k.Tunnels, NAT: k.NFT, NICs: k.NICs, Sysctls: k.Sysctls, Events: k,
		Log: d.log, Watch: d.changes, Adopt: d.opt.Adopt, Plain: d.plain(cfg), Scan: cfg.Kernel.ScanInterval,
		Protocols:  fib.Protocols{BGP: cfg.Kernel.Protocol, Static: cfg.Kernel.StaticProtocol},
		OnFacts:    onFacts,
		StateFile:  stateFile(d.socketPath(cfg), routesState),
		SysctlFile: stateFile(d.socketPath(cfg), sysctlsState),
		Namespace:  k.ID,
	}
}

// leftovers waits for the first look at the kernel and reports whether it holds
// routes of an earlier run: then this is a restart in the sense of RFC 4724.
func (d *daemon) leftovers(ctx context.Context) (bool, error) {
	d.startup.waitFor("the kernel to tell its links and routes")
	defer d.startup.waitFor("")
	select {
	case <-d.plane.Ready():
	case <-ctx.Done():
		return false, fmt.Errorf("first look at the kernel: %w", context.Cause(ctx))
	}
	restarting := false
	var foreign []string
	err := d.plane.Routes(ctx, func(e fib.Status) error {
		switch {
		case e.State == fib.Leftover:
			foreign = append(foreign, e.Prefix.String())
		case e.State == fib.Stale && e.Protocol == fib.BGP.String():
			restarting = true
		}
		return nil
	})
	if len(foreign) > 0 {
		d.log.Warn("routes of another program are left alone, --adopt takes them over",
			"count", len(foreign), "first", strings.Join(foreign[:min(len(foreign), mostNamed)], " "))
	}
	return restarting, err
}

// mostNamed is how many routes a log line names.
const mostNamed = 5

func (d *daemon) startEngine(p *parts, cfg *config.Config, restarting bool) error {
	interner := route.NewInterner()
	d.memory = newMemory(interner)
	d.memory.set(cfg.Limits)
	var err error
	d.speaker, err = gobgp.New(gobgp.Options{
		ASN: cmp.Or(cfg.ASN, nobodysASN), RouterID: cmp.Or(cfg.RouterID, nobodysID),
		Interner: interner, Log: d.log, Restarting: restarting,
	})
	if err != nil {
		return err
	}
	d.liveness = newLiveness(d.log,
		func(dead []netip.Addr) {
			d.plane.SetDead("bfd", dead)
			d.engine.SetDead(dead)
		},
		func(neighbor netip.Addr, reason string) { d.engine.PathDown(neighbor, reason) })
	d.engine = engine.New(engine.Options{
		Interner: interner, Speaker: d.speaker, Forwarding: d.plane, Liveness: d.liveness, Memory: d.memory, Watch: d.changes, Log: d.log, Restarting: restarting,
	}, cfg)
	p.run("bfd", d.liveness.run)
	p.run("engine", d.engine.Run)
	return nil
}
