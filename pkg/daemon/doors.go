package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/listen"
	"github.com/nvad/nvad/pkg/telemetry"
)

// door is a listener of the API. Routing does not wait for it: if it can't be opened,
// because the port is taken or the disk full, nvad keeps trying.
type door struct {
	at    string // path or address
	open  func() (net.Listener, error)
	serve func(context.Context, net.Listener) error

	mu  sync.Mutex // guards err
	err error      // why it is not open; nil: it is
}

// doorTime is the time between two attempts to open a door.
const doorTime = 5 * time.Second

func (d *door) name() string { return "api at " + d.at }

// shut returns why the door is not open; nil: it is.
func (d *door) shut() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// try opens the door. It logs only when the outcome changes.
func (d *door) try(log *slog.Logger) (net.Listener, error) {
	l, err := d.open()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil && d.err == nil:
		log.Warn("api not served, nvad tries again every few seconds", "address", d.at, "reason", err)
	case err == nil && d.err != nil:
		log.Info("api served", "address", d.at)
	}
	d.err = err
	return l, err
}

// run serves on l until ctx ends. If l is nil, it opens the door first, as soon as that
// is possible.
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

// openDoors opens the doors of a configuration and starts a part for each. It fails if
// another nvad answers on the socket, so that two of them never manage the same kernel
// by mistake.
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
			defer context.AfterFunc(ctx, d.changes.Close)() // ends the streams of Watch
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

const socketMode fs.FileMode = 0o660

func (d *daemon) socketPath(cfg *config.Config) string {
	if d.opt.Socket != "" {
		return d.opt.Socket
	}
	return cfg.Daemon.Socket
}

// tcp keeps the certificates of the API over TCP.
type tcp struct {
	mu    sync.Mutex // guards the rest
	api   config.API
	certs *api.Certificates // nil: not read yet
}

// set takes the certificates of another configuration; the listeners stay. If no
// certificates could be read so far, the next attempt to listen reads them.
func (t *tcp) set(c config.API) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.certs != nil {
		if err := t.certs.Set(c); err != nil {
			return fmt.Errorf("api: %w", err)
		}
	}
	t.api = c
	return nil
}

// certificates returns the certificates, which all listeners share.
func (t *tcp) certificates() (*api.Certificates, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.certs == nil {
		certs, err := api.NewCertificates(t.api)
		if err != nil {
			return nil, err
		}
		t.certs = certs
	}
	return t.certs, nil
}

// clients limits the file descriptors that clients of nvad use, because sessions, the
// kernel and files need the rest.
type clients struct {
	http, tcp, unix *listen.Pool
	calls           *api.Limits
}

// Most connections, if there are enough descriptors.
const (
	mostHTTP     = 256
	mostHTTPEach = 32 // of one address; a probe and a scraper need one or two
	mostTCP      = 128
	mostTCPEach  = 32
	mostUnix     = 128
	mostUnixEach = 64 // of one user
	tlsRate      = 16 // handshakes of one address in a second: each costs a signature
)

func newClients() *clients {
	return clientsFor(descriptors())
}

// clientsFor gives a quarter of the descriptors to clients: one half of it to HTTP, the
// other to the API.
func clientsFor(limit uint64) *clients {
	share := func(most int, part uint64) int { return int(min(uint64(most), max(4, limit/part))) }
	pool := func(total, each int) listen.Limits {
		return listen.Limits{Total: total, Each: min(each, max(2, total/2))}
	}
	overTCP := pool(share(mostTCP, 16), mostTCPEach)
	overTCP.Rate = tlsRate
	return &clients{
		http:  listen.NewPool(pool(share(mostHTTP, 8), mostHTTPEach), nil),
		tcp:   listen.NewPool(overTCP, nil),
		unix:  listen.NewPool(pool(share(mostUnix, 16), mostUnixEach), api.UserOf),
		calls: api.NewLimits(),
	}
}

// descriptors returns how many files this process may have open.
func descriptors() uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024 // what every process is given
	}
	return r.Cur
}
