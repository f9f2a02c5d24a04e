package sdn

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/nvad/nvad/integration/lab/emulator/rpc"
)

// agent owns the VNet's routes.
type agent struct {
	config Config

	mu        sync.Mutex
	feeds     map[string][]Learned
	effective []EffectiveRoute
	kernel    kernel
}

// Run serves one VNet in the network namespace it is started in, until ctx is
// done.
//
//	GET  /effective    the VNet's effective routes
//	POST /feed/{name}  a stream of route lists, each replacing the one before;
//	                   the routes go when the stream ends
func Run(ctx context.Context, config Config) error {
	a := &agent{config: config, feeds: map[string][]Learned{}, kernel: kernel{ports: config.Ports}}
	if err := a.kernel.flush(); err != nil {
		return err
	}
	a.update()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /feed/{name}", a.feed)
	rpc.Handle(mux, "/effective", func(*http.Request) ([]EffectiveRoute, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.effective, nil
	})
	return rpc.Serve(ctx, config.Socket, mux)
}

func (a *agent) feed(_ http.ResponseWriter, req *http.Request) {
	name := req.PathValue("name")
	defer a.set(name, nil)
	for dec := json.NewDecoder(req.Body); ; {
		var routes []Learned
		if err := dec.Decode(&routes); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				slog.Error("bad feed", "name", name, "error", err)
			}
			return
		}
		a.set(name, routes)
	}
}

func (a *agent) set(name string, routes []Learned) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.feeds[name] = routes
	a.updateLocked()
}

func (a *agent) update() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.updateLocked()
}

func (a *agent) updateLocked() {
	var learned []Learned
	for _, routes := range a.feeds {
		learned = append(learned, routes...)
	}
	a.effective = Effective(a.config, learned)
	if err := a.kernel.sync(a.effective); err != nil {
		slog.Error("could not program the VNet", "vnet", a.config.VNet, "error", err)
	}
}
