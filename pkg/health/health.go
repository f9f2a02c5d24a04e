// Package health says whether this NVA should carry traffic: in words, and as an HTTP
// status for a load balancer's probe.
//
// It promises that an answer reflects what the engine knows now, without a walk of any
// table, and that an engine that does not answer is not healthy. It decides nothing
// about routes. It owns only the last answer, for the log.
package health

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
)

// unready returns why the daemon has not finished its start; empty: it has.
func unready(v engine.Vitals) []string {
	if v.InSync {
		return nil
	}
	if len(v.Waiting) == 0 {
		return []string{"not in sync yet"}
	}
	return []string{"not in sync yet, waiting for " + join(v.Waiting)}
}

// Problems returns why this NVA should not carry traffic, by the conditions of c;
// empty: it should.
func Problems(c config.Health, v engine.Vitals) []string {
	out := unready(v)
	if !v.Drain.Since.IsZero() {
		out = append(out, "draining, by "+v.Drain.Reason)
	}
	for _, group := range slices.Sorted(maps.Keys(c.MinEstablished)) {
		if have, want := v.Established[group], c.MinEstablished[group]; have < want {
			out = append(out, fmt.Sprintf("peer-group %s: %d of at least %d neighbors established", group, have, want))
		}
	}
	for _, name := range c.Tunnels {
		switch t := v.Tunnels[name]; {
		case !t.Up:
			out = append(out, fmt.Sprintf("tunnel %s is not up", name))
		case t.Neighbors > 0 && t.Established == 0:
			out = append(out, fmt.Sprintf("tunnel %s: no neighbor established over it", name))
		}
	}
	return out
}

func join(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// patience is how long the engine may take to answer. Azure's probe waits for five
// seconds.
const patience = time.Second

// Options are the parts that handlers work with.
type Options struct {
	Vitals     func(context.Context) (engine.Vitals, error)
	Conditions func() config.Health // in force
	Log        *slog.Logger
}

// Handlers returns the handlers by pattern: /healthz for a load balancer, and /readyz,
// which says whether the daemon has finished its start, regardless of its neighbors.
// Both answer 200 with "ok", or 503 with one reason per line.
func Handlers(o Options) map[string]http.Handler {
	var last atomic.Pointer[string]
	return map[string]http.Handler{
		"GET /healthz": answer(o, func(v engine.Vitals) []string {
			problems := Problems(o.Conditions(), v)
			logChange(o.Log, &last, strings.Join(problems, "; "))
			return problems
		}),
		"GET /readyz": answer(o, unready),
	}
}

func answer(o Options, problems func(engine.Vitals) []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), patience)
		defer cancel()
		status, list := http.StatusOK, []string{"the engine does not answer"}
		if v, err := o.Vitals(ctx); err == nil {
			list = problems(v)
		}
		if len(list) == 0 {
			list = []string{"ok"}
		} else {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.Join(list, "\n") + "\n"))
	})
}

// logChange logs an answer that differs from the one before.
func logChange(log *slog.Logger, last *atomic.Pointer[string], why string) {
	if was := last.Swap(&why); was != nil && *was == why || was == nil && why == "" {
		return
	}
	if why == "" {
		log.Info("health probe: this NVA should carry traffic")
	} else {
		log.Warn("health probe: this NVA should not carry traffic", "reason", why)
	}
}
