package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/listen"
	"github.com/nvad/nvad/pkg/telemetry"
)

// door is a listener of the API. Routing does not wait for it: where it can't be
// opened, because the port is taken or the disk full, it is tried again.
type door struct {
	at    string // path or address
	open  func() (net.Listener, error)
	serve func(context.Context, net.Listener) error

	mu  sync.Mutex // guards err
	err error      // why it is not open; nil: it is
}

// doorTime is the time between attempts to open a door.
const doorTime = 5 * time.Second

func (d *door) name() string { return "api at " + d.at }

// shut is why the door is not open; nil: it is.
func (d *door) shut() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// try opens the door. It logs where the outcome is another than before.
func (d *door) try(log *slog.Logger) (net.Listener, error) {
	l, err := d.open()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil && d.err == nil:
		log.Warn("api not served, tried again every few seconds", "address", d.at, "reason", err)
	case err == nil && d.err != nil:
		log.Info("api served", "address", d.at)
	}
	d.err = err
	return l, err
}

// run serves on l, or, if that is nil, as soon as the door can be opened, until ctx
// ends.
func (d *door) run(ctx context.Context, l net.Listener, log *slog.Logger) error {
	for l == nil {
		select {
		case <-time.After(doorTime):
		case <-ctx.Done():
			return ctx.Err()
		}
		l, _ = d.try(log)
	}
	return d.serve(ctx, l)
}

// openDoors tries the doors of a configuration, and starts a part for each. It fails
// where another nvad answers on the socket, so that two never manage the same kernel by
// mistake.
func (d *daemon) openDoors(p *parts, cfg *config.Config) error {
	d.doors = append(d.doors, d.unixDoor(cfg))
	for _, at := range cfg.API.Listen {
		d.doors = append(d.doors, d.tcpDoor(at))
	}
	for _, door := range d.doors {
		l, err := door.try(d.log)
		if errors.Is(err, api.ErrAnswers) {
			return err
		}
		p.run(door.name(), func(ctx context.Context) error { return door.run(ctx, l, d.log) })
	}
	return nil
}

func (d *daemon) unixDoor(cfg *config.Config) *door {
	path := d.socketPath(cfg)
	return &door{
		at:   path,
		open: func() (net.Listener, error) { return api.Listen(path, socketMode, cfg.Daemon.SocketGroup) },
		serve: func(ctx context.Context, l net.Listener) error {
			defer context.AfterFunc(ctx, d.changes.Close)() // ends the streams of those who watch
			return api.Serve(ctx, d.clients.unix.Listener(l), api.NewServer(d.params()))
		},
	}
}

func (d *daemon) tcpDoor(at netip.AddrPort) *door {
	return &door{
		at: at.String(),
		open: func() (net.Listener, error) {
			if _, err := d.tcp.certificates(); err != nil {
				return nil, err
			}
			return listen.TCP(at)
		},
		serve: func(ctx context.Context, l net.Listener) error {
			certs, err := d.tcp.certificates()
			if err != nil {
				return err
			}
			return api.Serve(ctx, d.clients.tcp.Listener(l), api.NewTLSServer(d.params(), certs))
		},
	}
}

func (d *daemon) params() api.Params {
	return api.Params{Reader: d, Controller: d, Build: telemetry.Build(), Limits: d.clients.calls, Starting: d.stillStarting}
}
