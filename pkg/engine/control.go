package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
)

// Reset ends a session with Cease/Administrative Reset (RFC 4486); it comes back at
// once. ErrNoNeighbor if the neighbor is not configured.
func (e *Engine) Reset(ctx context.Context, addr netip.Addr) error {
	return e.with(ctx, addr, func(n *neighbor) error {
		e.opt.Speaker.Reset(addr, 0, speaker.Notification{Code: speaker.CodeCease, Subcode: speaker.CeaseReset})
		return nil
	})
}

// SoftIn runs the import policy again for everything that a neighbor announced.
func (e *Engine) SoftIn(ctx context.Context, addr netip.Addr) error {
	return e.with(ctx, addr, func(*neighbor) error { e.rib.Reimport(addr); return nil })
}

// SoftOut sends a neighbor its whole Adj-RIB-Out again.
func (e *Engine) SoftOut(ctx context.Context, addr netip.Addr) error {
	return e.with(ctx, addr, func(n *neighbor) error {
		if n.up == nil {
			return fmt.Errorf("neighbor %s is not established", addr)
		}
		e.rib.Readvertise(addr, n.up.Families, nil)
		return nil
	})
}

// SetShutdown shuts a neighbor down with a shutdown communication (RFC 9003), or
// enables it again, even after it exceeded its maximum-prefix. A neighbor that the
// configuration shuts down can't be enabled.
func (e *Engine) SetShutdown(ctx context.Context, addr netip.Addr, down bool, message string) error {
	return e.with(ctx, addr, func(n *neighbor) error {
		if !down && n.cfg.Shutdown {
			return fmt.Errorf("neighbor %s is shut down by the configuration", addr)
		}
		n.release()
		if down {
			n.held = "administratively shut down"
			e.opt.Speaker.Reset(addr, 0, speaker.Notification{Code: speaker.CodeCease, Subcode: speaker.CeaseShutdown, Message: message})
		}
		e.configureSpeaker()
		return nil
	})
}

func (e *Engine) with(ctx context.Context, addr netip.Addr, f func(*neighbor) error) error {
	var failed error
	err := e.do(ctx, func() {
		n := e.neighbors[addr]
		if n == nil {
			failed = fmt.Errorf("neighbor %s %w", addr, ErrNoNeighbor)
			return
		}
		failed = f(n)
	})
	return errors.Join(err, failed)
}

// Settle decides about everything that is known so far and hands over the effects
// before it returns.
func (e *Engine) Settle(ctx context.Context) error { return e.settled(ctx, e.publish) }

// Drain says whether this NVA is moving traffic away from itself: it advertises its
// routes as the last choice, and forwards as before. The zero value is no drain.
type Drain struct {
	Since  time.Time
	Reason string // of everybody who asked for it, in words
}

// drains keeps who asked for a drain, and why.
type drains struct {
	by    map[string]string
	since time.Time // zero: there is no drain
}

func (d *drains) status() Drain {
	var why []string
	for _, by := range slices.Sorted(maps.Keys(d.by)) {
		if reason := d.by[by]; reason != "" {
			by += ": " + reason
		}
		why = append(why, by)
	}
	return Drain{Since: d.since, Reason: strings.Join(why, "; ")}
}

// forRIB translates the drain for the RIB, with the prepends of a configuration.
func (d *drains) forRIB(cfg *config.Config) rib.Drain {
	if d.since.IsZero() {
		return rib.Drain{}
	}
	return rib.Drain{On: true, Prepends: cfg.Drain.Prepends}
}

// Drain moves traffic away from this NVA. The reason is empty or one line. The drain
// lasts until everybody who asked for it has called Undrain, or until a restart.
func (e *Engine) Drain(ctx context.Context, by, reason string) error {
	return e.do(ctx, func() {
		e.drains.by[by] = reason
		if e.drains.since.IsZero() {
			e.drains.since = time.Now()
		}
		e.log.Warn("draining: the routes are advertised as the last choice", "by", by, "reason", reason)
		e.rib.SetDrain(e.drains.forRIB(e.cfg))
	})
}

// Undrain takes back what by asked for; an empty by ends the drain, whoever asked for
// it. It is no error if there is none.
func (e *Engine) Undrain(ctx context.Context, by string) error {
	return e.do(ctx, func() {
		if by == "" {
			clear(e.drains.by)
		}
		delete(e.drains.by, by)
		if len(e.drains.by) > 0 || e.drains.since.IsZero() {
			return
		}
		e.log.Info("drain ended", "after", time.Since(e.drains.since).Round(time.Second))
		e.drains.since = time.Time{}
		e.rib.SetDrain(rib.Drain{})
	})
}
