package health

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
)

// conditions are those of the pair in hub00.
var conditions = config.Health{
	MinEstablished: map[string]int{"route-server": 1, "nva": 2}, Tunnels: []string{"vxlan0"},
}

// well is an NVA that meets conditions.
func well() engine.Vitals {
	return engine.Vitals{
		InSync: true, Established: map[string]int{"route-server": 2, "nva": 2},
		Tunnels: map[string]engine.TunnelVitals{"vxlan0": {Up: true, Neighbors: 3, Established: 2}},
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*engine.Vitals)
		want   string
	}{
		{"well", func(*engine.Vitals) {}, ""},
		{"starting", func(v *engine.Vitals) { v.InSync = false }, "not in sync yet"},
		{"waiting", func(v *engine.Vitals) {
			v.InSync, v.Waiting = false, []netip.Addr{netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("169.254.0.2")}
		}, "not in sync yet, waiting for 10.0.210.4, 169.254.0.2"},
		{"draining", func(v *engine.Vitals) {
			v.Drain = engine.Drain{Since: time.Now(), Reason: "operator: new kernel"}
		}, "draining, by operator: new kernel"},
		{"one instance is enough", func(v *engine.Vitals) { v.Established["route-server"] = 1 }, ""},
		{"sessions", func(v *engine.Vitals) { v.Established = map[string]int{"nva": 1} },
			"peer-group nva: 1 of at least 2 neighbors established; peer-group route-server: 0 of at least 1 neighbors established"},
		{"no device", func(v *engine.Vitals) { v.Tunnels = nil }, "tunnel vxlan0 is not up"},
		{"device down", func(v *engine.Vitals) { v.Tunnels["vxlan0"] = engine.TunnelVitals{Neighbors: 1, Established: 1} }, "tunnel vxlan0 is not up"},
		{"nobody behind it", func(v *engine.Vitals) { v.Tunnels["vxlan0"] = engine.TunnelVitals{Up: true, Neighbors: 3} },
			"tunnel vxlan0: no neighbor established over it"},
		{"static routes alone", func(v *engine.Vitals) { v.Tunnels["vxlan0"] = engine.TunnelVitals{Up: true} }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := well()
			tt.change(&v)
			if got := strings.Join(Problems(conditions, v), "; "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHandlers(t *testing.T) {
	var log strings.Builder
	v, fault := well(), error(nil)
	mux := http.NewServeMux()
	for pattern, h := range Handlers(Options{
		Vitals:     func(context.Context) (engine.Vitals, error) { return v, fault },
		Conditions: func() config.Health { return conditions },
		Log:        slog.New(slog.NewTextHandler(&log, nil)),
	}) {
		mux.Handle(pattern, h)
	}
	ask := func(method, path string, status int, text string) {
		t.Helper()
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != status || text != "" && w.Body.String() != text {
			t.Errorf("%s %s: %d %q, want %d %q", method, path, w.Code, w.Body, status, text)
		}
	}
	ask("GET", "/healthz", 200, "ok\n")
	ask("HEAD", "/healthz", 200, "")
	ask("POST", "/healthz", 405, "")
	ask("GET", "/", 404, "")
	if log.Len() > 0 {
		t.Errorf("logged %q though nothing is wrong", log.String())
	}
	v.Drain = engine.Drain{Since: time.Now(), Reason: "operator"}
	v.Established = nil
	for range 2 {
		ask("GET", "/healthz", 503, "draining, by operator\npeer-group nva: 0 of at least 2 neighbors established\n"+
			"peer-group route-server: 0 of at least 1 neighbors established\n")
	}
	ask("GET", "/readyz", 200, "ok\n")
	v.InSync = false
	ask("GET", "/readyz", 503, "not in sync yet\n")
	v = well()
	ask("GET", "/healthz", 200, "ok\n")
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("two changes are logged in %d lines:\n%s", n, log.String())
	}
	fault = errors.New("the engine has ended")
	ask("GET", "/healthz", 503, "the engine does not answer\n")
}
