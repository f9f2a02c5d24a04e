package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/nvad/nvad/pkg/speaker"
)

// Reset ends a session with Cease/Administrative Reset (RFC 4486); it comes
// back at once. ErrNoNeighbor if it is not configured.
func (e *Engine) Reset(ctx context.Context, addr netip.Addr) error {
	return e.with(ctx, addr, func(n *neighbor) error {
		e.opt.Speaker.Reset(addr, 0, speaker.Notification{Code: cease, Subcode: ceaseAdminReset})
		return nil
	})
}

// SoftIn evaluates the import policy again, for all that a neighbor announced.
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

// SetShutdown holds a neighbor down with a shutdown communication (RFC 9003),
// or lets it up again, also after it exceeded its maximum-prefix. A neighbor
// that the configuration shuts down can't be let up.
func (e *Engine) SetShutdown(ctx context.Context, addr netip.Addr, down bool, message string) error {
	return e.with(ctx, addr, func(n *neighbor) error {
		switch {
		case !down && n.cfg.Shutdown:
			return fmt.Errorf("neighbor %s is shut down by the configuration", addr)
		case down:
			n.release()
			n.held = "administratively shut down"
			e.opt.Speaker.Reset(addr, 0, speaker.Notification{Code: cease, Subcode: ceaseShutdown, Message: message})
		default:
			n.release()
		}
		e.configureSpeaker()
		return nil
	})
}

// Settle decides about everything that is known so far and hands the outcome
// over before it returns.
func (e *Engine) Settle(ctx context.Context) error {
	settled := make(chan struct{})
	err := e.do(ctx, func() {
		e.takeFacts()
		e.rib.Settled(func() {
			e.publish()
			close(settled)
		})
	})
	if err != nil {
		return err
	}
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ended:
		return errEnded
	}
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
