package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/history"
	"github.com/nvad/nvad/pkg/httpd"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/speaker/gobgp"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/watch"
)

// Options are the command line of nvad.
type Options struct {
	Config string // path of the configuration file
	Socket string // of the gRPC API; empty: the configuration's
	Adopt  bool   // take over BGP routes that can't be recognised as own
}

// daemon is the running process.
type daemon struct {
	opt      Options
	log      *slog.Logger
	level    *slog.LevelVar
	config   *running
	plane    *dataplane.Dataplane
	engine   *engine.Engine
	memory   *memory
	speaker  *gobgp.Speaker
	liveness *liveness
	changes  *watch.Hub
	http     *httpd.Server
	clients  *clients
	ask      questions
	reloads  reloads
	routerID netip.Addr    // of this run; invalid: none
	seen     chan struct{} // closed when the engine has its first look at the kernel
	stop     chan stopOrder
	history  *history.History
	deadline alarm
	tcp      *tcp
}

// stopOrder says how to end. The zero value is what SIGTERM asks for.
type stopOrder struct {
	why     string
	flush   bool
	message string
}

// Run is the daemon from start to end. It returns nil after an orderly end.
// Until the configuration proved valid and the namespace free of other routing
// daemons, nothing is touched.
func Run(ctx context.Context, opt Options) error {
	kept, unkept := openHistory(opt)
	chosen, err := choose(kept, opt.Config, time.Now())
	if err != nil {
		return err
	}
	cfg := chosen.cfg
	if err := refuseRivals(); err != nil {
		return err
	}
	spareProcessor()
	lock, err := alone(cmp.Or(opt.Socket, cfg.Daemon.Socket))
	if err != nil {
		return err
	}
	defer lock.Close()
	d := &daemon{opt: opt, level: new(slog.LevelVar), config: &running{}, changes: &watch.Hub{},
		seen: make(chan struct{}), stop: make(chan stopOrder, 1), history: kept, deadline: make(alarm, 1)}
	log := telemetry.NewLogger(d.level)
	defer log.Flush()
	d.log = log.Logger
	d.clients, d.ask = newClients(), d.questions()
	d.http = httpd.New(d.log, d.clients.http)
	defer d.http.Close()
	setLevel(d.level, cfg.Daemon.LogLevel)
	for _, w := range config.Warnings(cfg) {
		d.log.Warn("configuration", "reason", w.String())
	}
	if unkept != nil {
		d.log.Warn("history of configurations not read, a new one begins", "reason", unkept)
	}
	listener, err := d.listen(cfg)
	if err != nil {
		return err
	}
	defer listener.Close()
	if d.tcp, err = openTCP(cfg.API); err != nil {
		return err
	}
	defer d.tcp.close()
	if err := d.http.Set(starting(cfg)); err != nil {
		return err
	}
	return d.run(ctx, chosen, listener)
}

// refuseRivals fails where another routing daemon of this namespace would
// fight over the same routes.
func refuseRivals() error {
	found, err := kernel.RivalDaemons()
	if err != nil {
		return fmt.Errorf("look for other routing daemons: %w", err)
	}
	if len(found) > 0 {
		return fmt.Errorf("%s (pid %d) runs in this network namespace and would fight over its routes: stop it first",
			found[0].Name, found[0].PID)
	}
	return nil
}

// run starts the parts, each before those that need it, and ends them in
// reverse once something asks for it.
func (d *daemon) run(ctx context.Context, chosen choice, l net.Listener) error {
	d.log.Info("starting", "version", telemetry.Build().Version, "config", d.opt.Config,
		"as", chosen.cfg.ASN)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)

	parts := newParts(ctx)
	if stopped, err := d.begin(parts, chosen.candidate); stopped || err != nil {
		return errors.Join(err, parts.stopAll())
	}
	d.remember(chosen)
	parts.run("confirmation", d.watchDeadline)
	parts.run("memory", func(ctx context.Context) error { return d.memory.tidy(ctx, d.engine.MemoryLow) })
	parts.run("maintenance", d.maintain)
	parts.run("api", func(ctx context.Context) error { return d.serve(ctx, l) })
	d.serveTCP(parts)
	parts.run("systemd", func(ctx context.Context) error {
		d.ready(ctx)
		return d.report(ctx)
	})
	order := d.await(parts.ctx, signals)
	err := errors.Join(d.end(order, parts), parts.stopAll())
	d.log.Info("stopped")
	return err
}

// begin starts, and reports whether a signal ended what the start waited for. One
// that came too late for that is left to await.
func (d *daemon) begin(p *parts, c candidate) (stopped bool, err error) {
	ctx, done := signal.NotifyContext(p.ctx, syscall.SIGTERM, syscall.SIGINT)
	defer done()
	err = d.start(ctx, p, c)
	if err != nil && ctx.Err() != nil && p.ctx.Err() == nil {
		d.log.Info("stopped before the start was done", "reason", err)
		return true, nil
	}
	return false, err
}

// remember writes what runs since the start into the history, and tells where it
// is not the file.
func (d *daemon) remember(c choice) {
	text := c.text
	if c.record.Running == d.history.Record().Running {
		text = nil
	}
	if err := d.history.Commit(c.record, text); err != nil {
		d.log.Warn("configuration not kept", "reason", err)
	}
	d.history.Prune()
	if c.warn == "" {
		return
	}
	d.log.Warn(c.warn, "config_version", c.record.Running, "config", d.opt.Config)
	if p := c.record.Pending; p != nil {
		d.log.Warn("rollback unless confirmed", "deadline", p.Deadline, "fallback", p.Fallback)
	}
}

// await returns how to end, once a signal, a command or a failed task asks for
// it. SIGHUP reloads.
func (d *daemon) await(ctx context.Context, signals <-chan os.Signal) stopOrder {
	for {
		select {
		case <-ctx.Done():
			return stopOrder{why: "failure"}
		case order := <-d.stop:
			return order
		case s := <-signals:
			if s != syscall.SIGHUP {
				return stopOrder{why: "signal " + s.String()}
			}
			if _, err := d.Reload(ctx, api.ReloadOptions{}); err != nil {
				d.tellRefused(err)
			}
		}
	}
}

// tellRefused logs why a reload changed nothing, a line for each fault of the
// file.
func (d *daemon) tellRefused(err error) {
	for line := range strings.Lines(err.Error()) {
		d.log.Error("reload refused, the running configuration stays", "reason", strings.TrimSuffix(line, "\n"))
	}
}
