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

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker/gobgp"
)

// readyTime is the longest time until nvad tells systemd that it is ready.
const readyTime = 30 * time.Second

// start starts forwarding plane, sessions and engine, in this order, as parts of p, and
// applies the configuration. It stops waiting when ctx ends.
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
	d.wg = newWireguards(d.log, d.opt.stateDirectory(), d.plane.SetWanted, d.plane.SeenTunnels)
	d.wg.set(cfg)
	p.run("forwarding plane", func(ctx context.Context) error {
		return errors.Join(d.plane.Run(ctx), k.Close())
	})
	p.run("peers of WireGuard", d.wg.run)
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

// leftovers waits for the links and routes of the kernel, and reports whether an
// earlier run left routes there: then this start is a restart in the sense of RFC 4724.
func (d *daemon) leftovers(ctx context.Context) (bool, error) {
	d.startup.waitFor("the links and routes of the kernel")
	defer d.startup.waitFor("")
	select {
	case <-d.plane.Ready():
	case <-ctx.Done():
		return false, fmt.Errorf("read the links and routes of the kernel: %w", context.Cause(ctx))
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
		d.log.Warn("routes of another program stay, --adopt takes them over",
			"count", len(foreign), "first", strings.Join(foreign[:min(len(foreign), mostNamed)], " "))
	}
	return restarting, err
}

// mostNamed is how many routes a log line names.
const mostNamed = 5

func (d *daemon) startEngine(p *parts, cfg *config.Config, restarting bool) error {
	interner := route.NewInterner()
	d.memory = newMemory(interner)
	d.limitMemory(cfg)
	var err error
	d.speaker, err = gobgp.New(gobgp.Options{
		ASN: cmp.Or(cfg.ASN, nobodysASN), RouterID: cmp.Or(cfg.RouterID, nobodysID),
		Interner: interner, Log: d.log, Restarting: restarting, Own: ownAddress,
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
	d.liveness.silent, d.liveness.changes = d.wg.silentGateways, d.changes
	d.engine = engine.New(engine.Options{
		Interner: interner, Speaker: d.speaker, Forwarding: d.plane, Liveness: d.liveness, Memory: d.memory, Watch: d.changes, Log: d.log, Restarting: restarting,
	}, cfg)
	d.stations = d.newStations()
	p.run("monitoring stations", d.stations.Run)
	p.run("bfd", d.liveness.run)
	p.run("engine", d.engine.Run)
	return nil
}

// ownAddress reports whether the kernel delivers packets for addr to this machine. If it
// does not answer, the address counts as its own.
func ownAddress(addr netip.Addr) bool {
	found, err := kernel.Lookup(kernel.Namespace{}, addr)
	return err != nil || found.Fate == fib.FateLocal
}

// startup says how far the start is. A start waits as long as it takes for the machine
// to get a NIC and an address; meanwhile the API says what it waits for.
type startup struct {
	done  chan struct{} // closed once nvad has started
	cfg   *config.Config
	began time.Time

	mu    sync.Mutex // guards waits
	waits string     // what it waits for; empty: nothing in particular
}

func newStartup(cfg *config.Config) *startup {
	return &startup{done: make(chan struct{}), cfg: cfg, began: time.Now()}
}

func (s *startup) waitFor(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = what
}

func (s *startup) waiting() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits
}

func (s *startup) isDone() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// text describes the state of the start for an operator.
func (s *startup) text() string {
	if what := s.waiting(); what != "" {
		return fmt.Sprintf("still starting: waiting for %s, for %s so far", what, time.Since(s.began).Round(time.Second))
	}
	return "still starting"
}

// stillStarting is the API's answer to calls that can't be answered yet.
func (d *daemon) stillStarting() error {
	if d.startup.isDone() {
		return nil
	}
	return api.Conflict("nvad is %s", d.startup.text())
}

// statusOfStart summarizes the daemon while it starts.
func (d *daemon) statusOfStart() api.Status {
	cfg := d.startup.cfg
	s := engine.Status{ASN: cfg.ASN, RouterID: cfg.RouterID, Since: d.startup.began, Neighbors: len(cfg.Neighbors)}
	s.Warnings = append(s.Warnings, config.Warning{Key: "nvad", Code: "starting", Msg: d.startup.text()})
	s.Warnings = append(s.Warnings, d.degraded()...)
	return api.Status{Status: s, Host: hostName(), Time: time.Now(), Tunnels: len(cfg.Tunnels), Unhealthy: []string{"nvad is starting"}}
}

// reportStart keeps systemd informed until nvad has started. After readyTime it reports
// ready anyway: a boot must not hang, least of all if it is to bring the NIC that nvad
// waits for. It feeds the watchdog as long as it knows what the start waits for.
func (d *daemon) reportStart(ctx context.Context) error {
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	ready := time.After(readyTime)
	for {
		select {
		case <-d.startup.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ready:
			d.log.Warn("the start continues in the background", "reason", d.startup.text())
			d.notify(sd.SdNotifyReady)
		case <-tick.C:
			if d.startup.waiting() != "" {
				d.notify("STATUS="+d.startup.text(), sd.SdNotifyWatchdog)
			}
		}
	}
}
