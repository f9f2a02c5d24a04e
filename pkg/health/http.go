package health

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
)

// patience is how long the engine may take. Azure's probe waits for five seconds.
const patience = time.Second

// Options are what answers are made of.
type Options struct {
	Vitals     func(context.Context) (engine.Vitals, error)
	Conditions func() config.Health // in force
	Log        *slog.Logger
}

// Handlers returns the handlers by pattern: /healthz for a load balancer, and
// /readyz, which says whether the daemon has finished its start, whatever its
// neighbors do. Both answer 200 with "ok", or 503 with a reason a line.
func Handlers(o Options) map[string]http.Handler {
	var told atomic.Pointer[string]
	return map[string]http.Handler{
		"GET /healthz": answer(o, func(v engine.Vitals) []string {
			problems := Problems(o.Conditions(), v)
			tell(o.Log, &told, strings.Join(problems, "; "))
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

// tell logs an answer that is another than the one before.
func tell(log *slog.Logger, told *atomic.Pointer[string], why string) {
	if was := told.Swap(&why); was != nil && *was == why || was == nil && why == "" {
		return
	}
	if why == "" {
		log.Info("health probe: this NVA should carry traffic")
	} else {
		log.Warn("health probe: this NVA should not carry traffic", "reason", why)
	}
}
