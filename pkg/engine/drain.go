package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
)

// Drain is this NVA's leave of its traffic: routes are advertised as the last
// choice, and forwarded as before. The zero value is that it takes none.
type Drain struct {
	Since  time.Time
	Reason string // in words, those of each who wants it
}

// Drain has the NVA take leave of its traffic for reason, which is empty or one
// line. It lasts until everybody who wanted it, named by, has had it end; not
// over a restart.
func (e *Engine) Drain(ctx context.Context, by, reason string) error {
	return e.do(ctx, func() {
		e.drains[by] = reason
		if e.draining.IsZero() {
			e.draining = time.Now()
		}
		e.log.Warn("draining: the routes are advertised as the last choice", "by", by, "reason", reason)
		e.setDrain()
	})
}

// Undrain ends what by wanted; an empty by ends it whoever wanted it. It is no
// error if nobody did.
func (e *Engine) Undrain(ctx context.Context, by string) error {
	return e.do(ctx, func() {
		if by == "" {
			clear(e.drains)
		}
		delete(e.drains, by)
		if len(e.drains) > 0 || e.draining.IsZero() {
			return
		}
		e.log.Info("drain ended", "after", time.Since(e.draining).Round(time.Second))
		e.draining = time.Time{}
		e.setDrain()
	})
}

// setDrain tells the RIB what holds by now.
func (e *Engine) setDrain() { e.rib.SetDrain(e.drainOf(e.cfg)) }

func (e *Engine) drainOf(cfg *config.Config) rib.Drain {
	d := rib.Drain{On: !e.draining.IsZero()}
	if d.On {
		d.Prepends = cfg.Drain.Prepends
	}
	return d
}

func (e *Engine) drainNow() Drain {
	var why []string
	for _, by := range slices.Sorted(maps.Keys(e.drains)) {
		if reason := e.drains[by]; reason != "" {
			by += ": " + reason
		}
		why = append(why, by)
	}
	return Drain{Since: e.draining, Reason: strings.Join(why, "; ")}
}
