// Package httpd serves HTTP on addresses that change with reloads.
//
// Promise: an address need not exist yet to listen on it. If a set of addresses can't be opened as a
// whole, [Server.Set] changes nothing, while [Server.Force] serves those that it can and
// [Server.Run] tries the others again. Addresses that stay in the set stay open.
//
// A [Server] owns its listeners. It knows nothing about what it serves.
package httpd

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/listen"
)

// Bounds for clients. They should be health probes and scrapers, but anybody may reach the NIC. The
// pool bounds the number of connections.
const (
	headerTime  = 5 * time.Second  // to read a request
	writeTime   = 15 * time.Second // until the answer was taken
	idleTime    = 75 * time.Second // until the next request; scrapers come once a minute
	headerBytes = 8 << 10
	bodyBytes   = 1 << 10 // no handler reads a body
)

// Endpoints maps addresses to handlers by pattern of [http.ServeMux].
type Endpoints map[netip.AddrPort]map[string]http.Handler

// Add adds patterns at each address of list.
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

// Server owns the listeners. Its methods may be called concurrently.
type Server struct {
	log     *slog.Logger
	pool    *listen.Pool
	mu      sync.Mutex // guards the rest
	want    Endpoints
	open    map[netip.AddrPort]*listener
	missing map[netip.AddrPort]error // why a wanted address is not open
}

type listener struct {
	net.Listener
	http    http.Server
	handler atomic.Pointer[http.ServeMux]
}

// New returns a Server without listeners. All its connections count in pool.
func New(log *slog.Logger, pool *listen.Pool) *Server {
	return &Server{log: log, pool: pool, open: map[netip.AddrPort]*listener{}}
}

// Set replaces what is served. If an address can't be opened, it changes nothing and returns the
// error, unless that address was missing before: then [Server.Run] tries it again.
func (s *Server) Set(want Endpoints) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh, failed := s.listenAll(want)
	var errs []error
	for at, err := range failed {
		if s.missing[at] == nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		for _, l := range fresh {
			_ = l.Close()
		}
		return errors.Join(errs...)
	}
	s.use(want, fresh, failed)
	return nil
}

// Force is [Server.Set] for a start, which must go on: an address that can't be opened is missing
// until Run opens it.
func (s *Server) Force(want Endpoints) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh, failed := s.listenAll(want)
	s.use(want, fresh, failed)
}

// retryTime is the time between attempts to open missing addresses.
const retryTime = 5 * time.Second

// Run tries to open missing addresses until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(retryTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		s.mu.Lock()
		if len(s.missing) > 0 {
			fresh, failed := s.listenAll(s.want)
			s.use(s.want, fresh, failed)
		}
		s.mu.Unlock()
	}
}

// Missing returns an error for each missing address, which says who has the port.
func (s *Server) Missing() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []error
	for _, at := range slices.SortedFunc(maps.Keys(s.missing), netip.AddrPort.Compare) {
		out = append(out, s.missing[at])
	}
	return out
}

// listenAll opens the wanted addresses that are not open.
func (s *Server) listenAll(want Endpoints) (fresh map[netip.AddrPort]*listener, failed map[netip.AddrPort]error) {
	fresh, failed = map[netip.AddrPort]*listener{}, map[netip.AddrPort]error{}
	for at := range want {
		if s.open[at] != nil {
			continue
		}
		if l, err := s.listen(at); err != nil {
			failed[at] = err
		} else {
			fresh[at] = l
		}
	}
	return fresh, failed
}

// use serves want on the open and the fresh listeners, and closes those that are not wanted.
func (s *Server) use(want Endpoints, fresh map[netip.AddrPort]*listener, failed map[netip.AddrPort]error) {
	for at, err := range failed {
		if s.missing[at] == nil {
			s.log.Warn("HTTP is not served, tried again every few seconds", "reason", err)
		}
	}
	for at := range s.missing {
		if fresh[at] != nil {
			s.log.Info("HTTP is served", "address", at)
		}
	}
	s.want, s.missing = want, failed
	for at, l := range s.open {
		if want[at] == nil {
			delete(s.open, at)
			_ = l.http.Close()
		}
	}
	for at, l := range s.open {
		l.handler.Store(mux(want[at]))
	}
	for at, l := range fresh {
		l.handler.Store(mux(want[at]))
		s.open[at] = l
		go s.serve(l)
	}
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

// listen opens an address. It may overlap with one that a reload is about to close.
func (s *Server) listen(at netip.AddrPort) (*listener, error) {
	shared, err := listen.Shared(at)
	if err != nil {
		return nil, err
	}
	l := &listener{Listener: s.pool.Listener(shared)}
	l.http = http.Server{
		Handler: http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l.handler.Load().ServeHTTP(w, r)
		}), bodyBytes),
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, ErrorLog: log.New(io.Discard, "", 0),
	}
	return l, nil
}
