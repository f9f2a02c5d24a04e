// Package httpd serves HTTP on addresses that come and go with reloads.
//
// Promise: an address need not be there yet to be listened on; a set of addresses
// that can't all be opened changes nothing; what serves on stays open over a
// change of others. It knows nothing of what it serves.
package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds for clients, who are probes and scrapers: anybody may reach the NIC.
const (
	headerTime  = 5 * time.Second
	writeTime   = 30 * time.Second
	idleTime    = 2 * time.Minute
	headerBytes = 16 << 10
)

// Endpoints are handlers by pattern of [http.ServeMux], by where they are served.
type Endpoints map[netip.AddrPort]map[string]http.Handler

// Add has patterns served at each of list, beside what is there.
func (e Endpoints) Add(list []netip.AddrPort, patterns map[string]http.Handler) {
	for _, at := range list {
		if e[at] == nil {
			e[at] = map[string]http.Handler{}
		}
		for pattern, h := range patterns {
			e[at][pattern] = h
		}
	}
}

// Server is the listeners. Its methods may be called concurrently.
type Server struct {
	log  *slog.Logger
	mu   sync.Mutex
	open map[netip.AddrPort]*listener
}

type listener struct {
	net.Listener
	http    http.Server
	handler atomic.Pointer[http.ServeMux]
}

// New returns a Server without listeners.
func New(log *slog.Logger) *Server { return &Server{log: log, open: map[netip.AddrPort]*listener{}} }

// Set makes want what is served. On an error, all stays as it was.
func (s *Server) Set(want Endpoints) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := map[netip.AddrPort]*listener{}
	for at := range want {
		if s.open[at] != nil {
			continue
		}
		l, err := listen(at)
		if err != nil {
			for _, l := range fresh {
				_ = l.Close()
			}
			return fmt.Errorf("listen on %s: %w", at, err)
		}
		fresh[at] = l
	}
	for at, l := range s.open {
		if want[at] == nil {
			delete(s.open, at)
			_ = l.http.Close()
		}
	}
	for at, patterns := range want {
		l := fresh[at]
		if l == nil {
			l = s.open[at]
		}
		l.handler.Store(mux(patterns))
		if s.open[at] == nil {
			s.open[at] = l
			go s.serve(l)
		}
	}
	return nil
}

// Close ends all connections and listeners.
func (s *Server) Close() { _ = s.Set(nil) }

func (s *Server) serve(l *listener) {
	if err := l.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("HTTP is served no longer", "address", l.Addr(), "reason", err)
	}
}

func mux(patterns map[string]http.Handler) *http.ServeMux {
	m := http.NewServeMux()
	for pattern, h := range patterns {
		m.Handle(pattern, h)
	}
	return m
}

// listen opens at. The NIC may get its address later than nvad starts, and a reload
// may put one address in the place of all, or the reverse.
func listen(at netip.AddrPort) (*listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
		}); cerr != nil {
			return cerr
		}
		return err
	}}
	network := "tcp4"
	if at.Addr().Is6() {
		network = "tcp6"
	}
	open, err := config.Listen(context.Background(), network, at.String())
	if err != nil {
		return nil, err
	}
	l := &listener{Listener: open}
	l.http = http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.handler.Load().ServeHTTP(w, r) }),
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, ErrorLog: log.New(io.Discard, "", 0),
	}
	return l, nil
}
