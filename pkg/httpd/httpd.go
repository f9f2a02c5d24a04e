// Package httpd serves HTTP on addresses that come and go with reloads.
//
// Promise: an address need not be there yet to be listened on; a set of addresses
// that can't all be opened changes nothing, or is served as far as it can be and tried
// again until it is whole; what serves on stays open over a change of others. It knows
// nothing of what it serves.
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

// Bounds for clients, who are probes and scrapers: anybody may reach the NIC. How
// many connections there may be is for the pool to say.
const (
	headerTime  = 5 * time.Second  // until a request has been read
	writeTime   = 15 * time.Second // until its answer has been taken
	idleTime    = 75 * time.Second // for the next one; scrapers come once a minute
	headerBytes = 8 << 10
	bodyBytes   = 1 << 10 // nothing that is served reads one
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
	log     *slog.Logger
	pool    *listen.Pool
	mu      sync.Mutex // guards the rest
	want    Endpoints
	open    map[netip.AddrPort]*listener
	missing map[netip.AddrPort]error // why what is wanted is not open
}

type listener struct {
	net.Listener
	http    http.Server
	handler atomic.Pointer[http.ServeMux]
}

// New returns a Server without listeners. What connects to those it gets counts in
// pool.
func New(log *slog.Logger, pool *listen.Pool) *Server {
	return &Server{log: log, pool: pool, open: map[netip.AddrPort]*listener{}}
}

// Set makes want what is served. On an error, all stays as it was. What was missing
// before is no error: it is tried again, see Run.
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

// Force is Set for what has to go on: what can't be listened on is missing until it
// can.
func (s *Server) Force(want Endpoints) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh, failed := s.listenAll(want)
	s.use(want, fresh, failed)
}

// retryTime is the time between attempts to listen on what is missing.
const retryTime = 5 * time.Second

// Run tries again to listen on what is missing, until ctx ends.
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

// Missing says, an error each, what can't be listened on, and who has the port.
func (s *Server) Missing() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []error
	for _, at := range slices.SortedFunc(maps.Keys(s.missing), netip.AddrPort.Compare) {
		out = append(out, s.missing[at])
	}
	return out
}

// listenAll opens what is wanted and not open.
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

// use serves want on what is open and on what is fresh, and closes what is not wanted.
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

// listen opens an address. A reload may put one address in the place of all, or
// the reverse.
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
