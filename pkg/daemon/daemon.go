// Package daemon connects the other packages and runs the process: it starts the
// parts in order, handles signals and reloads, notifies systemd, and stops the parts in
// reverse order.
//
// It promises that a configuration that is not valid changes nothing, at start or at a
// reload. systemd is told READY once configuration, links and static routes are in
// place, without waiting for any neighbor. After SIGTERM with preserve-fib the kernel
// keeps forwarding. A network namespace has only one nvad, and no other daemon that
// writes BGP routes.
//
// It decides nothing about routes. It owns the running configuration and its history.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/bmp"
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
	Adopt  bool   // take over BGP routes that nvad does not recognise as its own
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
	wg       *wireguards
	changes  *watch.Hub
	http     *httpd.Server
	clients  *clients
	ask      questions
	reloads  reloads
	routerID netip.Addr    // of this run; invalid: none
	seen     chan struct{} // closed once the engine has the kernel's links and routes
	stop     chan stopOrder
	history  *history.History
	deadline alarm
	tcp      *tcp
	doors    []*door
	startup  *startup
	notices  notices
	polls    polls
	stations *bmp.Stations
	// chronicle keeps what changes publishes.
	chronicle *chronicle
}

// stopOrder says how to stop. SIGTERM asks for the zero value.
type stopOrder struct {
	why     string
	flush   bool
	message string
}

// Run runs the daemon from start to end, and returns nil after an orderly end. It
// changes nothing before it knows that the configuration is valid and that no other
// routing daemon runs in the network namespace.
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
	var unlocked unlockable
	switch {
	case errors.As(err, &unlocked):
	case err != nil:
		return err
	default:
		defer lock.Close()
	}
	d := &daemon{opt: opt, level: new(slog.LevelVar), config: &running{}, changes: &watch.Hub{},
		seen: make(chan struct{}), stop: make(chan stopOrder, 1), history: kept, deadline: make(alarm, 1),
		startup: newStartup(cfg), tcp: &tcp{api: cfg.API}}
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
		d.log.Warn("history of configurations is damaged, only its readable part is used", "reason", unkept)
	}
	if unlocked.error != nil {
		d.log.Warn("no lock: nothing keeps a second nvad out of this network namespace", "reason", unlocked)
		d.notices.set("lock", "nothing keeps a second nvad out of this network namespace: "+unlocked.Error())
	}
	d.logSkipped(chosen)
	return d.run(ctx, chosen)
}

// refuseRivals fails if another routing daemon in this namespace would fight over the
// same routes.
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

// run starts the parts, each before those that need it, and stops them in reverse order
// when something asks for it.
func (d *daemon) run(ctx context.Context, chosen choice) error {
	d.log.Info("starting", "version", telemetry.Build().Version, "config", d.opt.Config,
		"as", chosen.cfg.ASN)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)

	parts := newParts(ctx)
	d.chronicle = newChronicle(d.log, d.changes, d.opt.stateDirectory(), chosen.cfg.Journal.Size)
	d.connectChronicle()
	parts.run("journal", d.chronicle.run)
	d.life("started", chosen.cfg)
	if err := d.openDoors(parts, chosen.cfg); err != nil {
		return errors.Join(err, parts.stopAll())
	}
	d.http.Force(starting(chosen.cfg))
	parts.run("http", d.http.Run)
	parts.run("start", d.reportStart)
	if stopped, err := d.begin(parts, chosen.candidate); stopped || err != nil {
		return errors.Join(err, parts.stopAll())
	}
	d.remember(chosen)
	close(d.startup.done)
	parts.run("history", d.keepHistory)
	parts.run("confirmation", d.watchDeadline)
	parts.run("memory", func(ctx context.Context) error { return d.memory.tidy(ctx, d.engine.MemoryLow) })
	parts.run("maintenance", d.maintain)
	parts.run("problems", d.watchProblems)
	parts.run("systemd", func(ctx context.Context) error {
		d.ready(ctx)
		return d.report(ctx)
	})
	order := d.await(parts.ctx, signals)
	err := errors.Join(d.end(order, parts), parts.stopAll())
	d.log.Info("stopped")
	return err
}

// begin starts nvad, and reports whether a signal ended the start while it waited for
// something. A stop order that comes too late for that is left to await.
func (d *daemon) begin(p *parts, c candidate) (stopped bool, err error) {
	ctx, done := signal.NotifyContext(p.ctx, syscall.SIGTERM, syscall.SIGINT)
	defer done()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case order := <-d.stop:
			select {
			case d.stop <- order:
			default: // another one came meanwhile
			}
			done()
		case <-ctx.Done():
		}
	}()
	err = d.start(ctx, p, c)
	stopped = err != nil && ctx.Err() != nil && p.ctx.Err() == nil
	done()
	<-ended
	if !stopped {
		return false, err
	}
	d.log.Info("stopped before the start was done", "reason", err)
	d.life("stopping", c.cfg)
	return true, d.flushEarly()
}

// flushEarly carries out "nvactl stop --flush" during the start.
func (d *daemon) flushEarly() error {
	select {
	case order := <-d.stop:
		if order.flush && d.plane != nil {
			ctx, cancel := context.WithTimeout(context.Background(), flushTime)
			defer cancel()
			return d.plane.Flush(ctx)
		}
	default:
	}
	return nil
}

// await waits for a signal, a command or the failure of a part, and returns how to
// stop. SIGHUP reloads.
func (d *daemon) await(ctx context.Context, signals <-chan os.Signal) stopOrder {
	for {
		select {
		case <-ctx.Done():
			return stopOrder{why: "failure"}
		case order := <-d.stop:
			return order
		case s := <-signals:
			if s != syscall.SIGHUP {
				d.operation(ctx, watch.Operation{What: "stop", By: signalName(s)}, nil)
				return stopOrder{why: "signal " + s.String()}
			}
			if _, err := d.reload(ctx, 0); err != nil {
				d.logRefused(err)
			}
		}
	}
}

// signalName describes who asks by a signal.
func signalName(s os.Signal) string {
	if number, ok := s.(syscall.Signal); ok {
		return "signal " + unix.SignalName(number)
	}
	return "signal " + s.String()
}

// logRefused logs why a reload changed nothing, one line for each fault of the file.
func (d *daemon) logRefused(err error) {
	for line := range strings.Lines(err.Error()) {
		d.log.Error("reload refused, the running configuration stays", "reason", strings.TrimSuffix(line, "\n"))
	}
}

// spareProcessor lets one more goroutine run than there are processors, unless the
// operator sets GOMAXPROCS. A large table keeps all of them busy, and BFD must not wait
// for its turn meanwhile. The kernel prefers the thread of BFD.
func spareProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// Time limits for closing the sessions and for cleaning the kernel. systemd waits for
// 90 s by default.
const (
	farewellTime = 5 * time.Second
	flushTime    = 60 * time.Second
)

// end closes the sessions and leaves the kernel as order says. It stops the engine
// first: if a session ended before that, the engine would remove its routes.
func (d *daemon) end(order stopOrder, p *parts) error {
	flush := order.flush || !d.config.get().Daemon.PreserveFIB
	d.log.Info("stopping", "reason", order.why, "flush", flush)
	d.notify("STOPPING=1")
	d.life("stopping", d.complete(d.config.get()))
	errs := []error{p.stop("engine")}
	unreachable := d.wg.inProcess()

	ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
	defer cancel()
	errs = append(errs, d.speaker.Close(ctx, gobgp.CloseOptions{Graceful: !flush, Unreachable: unreachable, Message: order.message}))
	if flush {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		errs = append(errs, d.plane.Flush(ctx))
	}
	return errors.Join(errs...)
}
