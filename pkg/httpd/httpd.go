// Package httpd serves HTTP on addresses that come and go with reloads.
//
// Promise: an address need not be there yet to be listened on; a set of addresses
// that can't all be opened changes nothing; what serves on stays open over a
// change of others. It knows nothing of what it serves.
package httpd

import (
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
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
	log  *slog.Logger
	pool *listen.Pool
	mu   sync.Mutex // guards open
	open map[netip.AddrPort]*listener
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

// Set makes want what is served. On an error, all stays as it was.
func (s *Server) Set(want Endpoints) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := map[netip.AddrPort]*listener{}
	for at := range want {
		if s.open[at] != nil {
			continue
		}
		l, err := s.listen(at)
		if err != nil {
			for _, l := range fresh {
				_ = l.Close()
			}
			return err
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
