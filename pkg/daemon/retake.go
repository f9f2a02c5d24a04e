package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/watch"
)

// Pauses before the state is recorded anew after events were lost: it must be worth it, so
// a neighbor that never stops flooding gets longer ones.
const (
	shortPause = 2 * time.Second
	longPause  = 5 * time.Minute
)

// retake says when the state is recorded anew.
type retake struct {
	at    time.Time // zero: it is known
	last  time.Time
	pause time.Duration
}

func (t *retake) soon(now time.Time) { t.at = now }

// later asks for the state once nothing was lost for a while. If it was recorded not long
// ago, the pause is twice as long as the one before.
func (t *retake) later(now time.Time) {
	if t.pause = min(2*t.pause, longPause); t.pause == 0 || now.Sub(t.last) > 2*t.pause {
		t.pause = shortPause
	}
	t.at = now.Add(t.pause)
}

func (t *retake) isDue(now time.Time) bool { return !t.at.IsZero() && !now.Before(t.at) }

// errNoRoom ends the recording of a state that is too large for the journal.
var errNoRoom = errors.New("the state takes more than a quarter of the journal; raise size of [journal]")

// stateReason is the reason of an event that records the present state.
const stateReason = "already so when nvad recorded all routes"

// take records the present state. Events that happen meanwhile are recorded in between, and
// after all pages the log is right: an event that is older than the page of its prefix is
// followed by all newer ones.
func (r *recorder) take(ctx context.Context) {
	r.retake.at, r.retake.last = time.Time{}, time.Now()
	before, lost := r.log.Next(), r.counts.lost.Load()
	err := r.pages(ctx, r.log.StateRoom())
	now := time.Now()
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, errNoRoom):
		err = r.giveUp(now)
	case err == nil && r.counts.lost.Load() == lost:
		err = r.settle(now, before)
	default:
		r.retake.later(now) // the engine is too busy, or events were lost meanwhile
		return
	}
	if r.syncSoon(now); err != nil {
		r.fail(err, now)
		r.retake.later(now)
	}
}

// pages records the present state in at most so many octets.
func (r *recorder) pages(ctx context.Context, room int64) error {
	var page []journal.Record
	put := func() error {
		r.append(page)
		page = page[:0]
		if r.drain(ctx); r.failed != nil {
			return r.failed
		}
		return ctx.Err()
	}
	err := r.state(ctx, room, func(ev watch.Event) error {
		record := api.EventRecord(ev, true)
		if room -= int64(len(record.Data) + len(record.Key)); room < 0 {
			return errNoRoom
		}
		if page = append(page, record); len(page) < turnEvents {
			return nil
		}
		rest(ctx, turnTime/4)
		return put()
	})
	if err != nil {
		return err
	}
	return put()
}

// giveUp records that the state is too large, and looks later whether it still is.
func (r *recorder) giveUp(now time.Time) error {
	r.retake.at = now.Add(longPause)
	if r.gaveUp {
		return nil
	}
	r.gaveUp = true
	r.chronicle.log.Warn("the journal records how routes change, but not what they are at a time", "reason", errNoRoom)
	return r.log.GiveUp(now)
}

// settle records that the state is known: what was not recorded since before does not
// exist any more.
func (r *recorder) settle(now time.Time, before uint64) error {
	kinds := uint16(r.takes)
	if r.takes == r.kinds {
		kinds = allKinds
	}
	if err := r.log.Sweep(now, kinds, before); err != nil {
		return err
	}
	r.gaveUp = false
	_, err := r.log.Append([]journal.Record{api.GapRecord(now, 0, "", true)})
	return err
}

// connectChronicle tells the recorders where the state is.
func (d *daemon) connectChronicle() {
	c := d.chronicle
	c.rare.state, c.rare.takes, c.rare.ready = d.sessionState, watch.Neighbors|watch.Tunnels, func(context.Context) bool { return d.startup.isDone() }
	c.frequent.state, c.frequent.takes, c.frequent.ready = d.routeState, frequentKinds, func(ctx context.Context) bool {
		if !d.startup.isDone() {
			return false
		}
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		v, err := d.engine.Vitals(ctx)
		return err == nil && v.InSync
	}
}

// sessionState yields what neighbors and tunnels are like, and whether this NVA drains.
func (d *daemon) sessionState(ctx context.Context, _ int64, yield func(watch.Event) error) error {
	neighbors, err := d.engine.Neighbors(ctx)
	if err != nil {
		return err
	}
	for _, n := range neighbors {
		c := watch.Neighbor{Address: n.Address, ASN: n.RemoteASN, From: n.State, To: n.State, Reason: n.Reason}
		if err := yield(watch.Event{At: time.Now(), Change: c}); err != nil {
			return err
		}
	}
	for _, t := range d.plane.SeenTunnels() {
		c := watch.Tunnel{Name: t.Name, VNI: t.VNI, Old: t.State, New: t.State, Reason: t.Reason}
		if err := yield(watch.Event{At: time.Now(), Change: c}); err != nil {
			return err
		}
	}
	v, err := d.engine.Vitals(ctx)
	if err != nil || v.Drain.Since.IsZero() {
		return err
	}
	return yield(watch.Event{At: time.Now(), Change: watch.Operation{What: "drain", Detail: oneLine(v.Drain.Reason)}})
}

// leastRoute is how many octets the records of a best path and of its route in the kernel
// take at least.
const leastRoute = 150

// routeState yields best paths and the kernel's routes.
func (d *daemon) routeState(ctx context.Context, room int64, yield func(watch.Event) error) error {
	s, err := d.engine.Status(ctx)
	if err != nil {
		return err
	}
	if int64(s.Prefixes)*leastRoute > room {
		return errNoRoom
	}
	err = d.engine.Routes(ctx, engine.Query{Table: engine.LocRIB}, func(p engine.Path) error {
		if !p.Best {
			return nil
		}
		best := watch.Best{Neighbor: p.Neighbor, Source: p.Source, Attrs: p.Attrs}
		return yield(watch.Event{At: time.Now(), Change: watch.Route{Prefix: p.Prefix, New: best, Reason: stateReason}})
	})
	if err != nil {
		return err
	}
	return d.plane.Routes(ctx, func(s fib.Status) error {
		switch s.State {
		case fib.Installed, fib.Failed, fib.Refused, fib.Outranked:
		default:
			return nil
		}
		if s.Second {
			return nil
		}
		way := fib.Way{Present: true, Kind: s.Kind, Hops: s.Hops}
		return yield(watch.Event{At: time.Now(), Change: watch.Forwarding{
			Prefix: s.Prefix, Class: s.Protocol, New: way.String(), State: s.State.String(), Reason: s.Reason,
		}})
	})
}
