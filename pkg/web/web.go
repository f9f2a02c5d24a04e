// Package web serves one page about one or several NVAs, which nvactl web shows in a browser.
//
// An operator asks what is wrong, how everything hangs together, why a route is as it is, and what
// happened at 03:12, of all NVAs of a site at once. The page asks this package over HTTP, and this
// package asks each NVA over gRPC.
//
// Promise: nothing can be changed through it. It holds only clients of the service Nvad, which reads, and
// it answers only GET and HEAD. Without the token nobody gets an answer, and
// neither does a page of another site. An NVA that does not answer delays nobody: its last known state is served
// with its age. Everything that is kept or answered is bounded, and text from NVAs and their neighbors
// stays text.
//
// Each NVA's goroutine owns its stream of changes; what was read from NVAs is kept by values of
// type kept, each with a lock of its own. Listening, the browser and the connections to the NVAs
// are the caller's; what an NVA's state is, is package survey's.
package web

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/drawing"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// Params configures a [Server].
type Params struct {
	NVAs    []NVA
	Version string // of nvactl, for the page
	// Story returns what nvactl explain prints.
	Story func(*nvadv1.Explanation) string
	// Compare compares the NVAs with each other; nil: nothing is compared.
	Compare func(context.Context) ([]Finding, error)
	// Line returns an event in words, as nvactl watch prints it.
	Line func(*nvadv1.WatchEvent) string
}

// NVA is a daemon that the page shows. Names are unique within a site.
type NVA struct {
	Name   string
	Client nvadv1.NvadClient
	// Sentence returns the error of a call as nvactl prints it.
	Sentence func(error) string
}

// Server answers the page. Its methods may be called concurrently.
type Server struct {
	params   Params
	guard    *guard
	nvas     []*nva
	hub      hub
	findings *kept[[]Finding] // nil: nothing is compared
	work     sync.WaitGroup
	ctx      context.Context // ends with Run
}

// New returns a Server with a token of its own.
func New(p Params) *Server {
	s := &Server{params: p, guard: newGuard(), ctx: context.Background()}
	for _, n := range p.NVAs {
		s.nvas = append(s.nvas, newNVA(s, n))
	}
	s.keepFindings()
	return s
}

// Path returns the path and query of the URL that opens the page. It contains the token.
func (s *Server) Path() string { return "/?token=" + s.guard.token }

// Bounds for clients. They are browsers of people, but everybody on the machine can connect.
const (
	headerTime  = 5 * time.Second
	readTime    = 10 * time.Second
	writeTime   = 30 * time.Second // streams extend it
	idleTime    = 2 * time.Minute
	headerBytes = 16 << 10
)

// Run serves on l until ctx ends.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer s.work.Wait()
	defer stop()
	s.ctx = ctx
	for _, n := range s.nvas {
		s.work.Go(func() { n.follow(ctx) })
	}
	web := http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	s.work.Go(func() {
		<-ctx.Done()
		_ = web.Close() // streams end only so
	})
	err := web.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// handler routes requests: first the guard, then the page's files and its questions.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", staticFile("index.html"))
	mux.Handle("GET /static/{file...}", staticFiles())
	mux.HandleFunc("GET /static/drawing.css", func(w http.ResponseWriter, r *http.Request) { serveAsset(w, r, kinds[".css"], []byte(drawing.Style())) })
	for path, answer := range map[string]answer{
		"site": s.site, "state": s.state, "routes": s.routes, "explain": s.explain, "events": s.events, "timeline": s.timeline,
	} {
		mux.Handle("GET /api/"+path, s.guard.few(answer))
	}
	mux.Handle("GET /api/picture", s.guard.few(http.HandlerFunc(s.picture)))
	mux.HandleFunc("GET /api/stream", s.stream)
	return s.guard.protect(mux)
}
