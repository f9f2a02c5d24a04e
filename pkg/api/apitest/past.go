package apitest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/watch"
)

// Past implements api.Reader.
func (d *Daemon) Past(context.Context) (api.Past, error) {
	if d.Happened == nil {
		return nil, api.Conflict("nvad keeps no journal: size of [journal] is 0")
	}
	return past(d.Happened), d.Err
}

// Happened returns the records of events, the oldest first. [api.GapRecord] makes a gap.
func Happened(events ...watch.Event) []journal.Record {
	out := make([]journal.Record, len(events))
	for i, ev := range events {
		out[i] = api.EventRecord(ev, false)
	}
	return out
}

// past is a journal in memory.
type past []journal.Record

// Oldest implements api.Past.
func (p past) Oldest() time.Time {
	if len(p) == 0 {
		return time.Time{}
	}
	return p[0].Time
}

// Close implements api.Past.
func (p past) Close() {}

// Events implements api.Past.
func (p past) Events(_ context.Context, kinds uint16, since, until time.Time, want func(string) bool, yield func(*journal.Record) error) error {
	for _, r := range p {
		if r.Kind != 0 && r.Kind&kinds == 0 || r.Time.Before(since) || !until.IsZero() && !r.Time.Before(until) || !want(r.Key) {
			continue
		}
		if err := yield(&r); err != nil {
			return err
		}
	}
	return nil
}

// State implements api.Past.
func (p past) State(ctx context.Context, kinds uint16, at time.Time, want func(string) bool, yield func(*journal.Record) error) error {
	if at.Before(p.Oldest()) {
		return journal.ErrNotKept
	}
	state := map[string]journal.Record{}
	_ = p.Events(ctx, kinds, time.Time{}, at, want, func(r *journal.Record) error {
		if state[r.Key] = *r; r.Gone || r.Key == "" {
			delete(state, r.Key)
		}
		return nil
	})
	for _, key := range slices.Sorted(maps.Keys(state)) {
		r := state[key]
		if err := yield(&r); err != nil {
			return err
		}
	}
	return nil
}
