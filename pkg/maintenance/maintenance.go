package maintenance

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/imds"
)

const (
	// pollInterval is what Azure recommends: the shortest notice is 30 seconds.
	pollInterval = time.Second
	// retryInterval follows a question without an answer.
	retryInterval = 5 * time.Second
)

// Platform is what there is to ask of Azure.
type Platform interface {
	// Name is the VM's in Azure.
	Name(context.Context) (string, error)
	// Events are those of this VM and of others beside it.
	Events(context.Context) ([]imds.Event, error)
	// Approve lets an event begin before its time.
	Approve(ctx context.Context, id string) error
}

// Node is what there is to do on the NVA.
type Node interface {
	// Drain moves traffic away, or joins a drain there is, and returns how
	// long it takes from now on.
	Drain(ctx context.Context, reason string) (time.Duration, error)
	// Undrain ends what Drain has begun.
	Undrain(context.Context) error
	// Hold keeps a pause from being taken for a failure, by this NVA or by its
	// neighbors, until it is called with false.
	Hold(on bool)
}

// Keeper watches for events. Make it with [New].
type Keeper struct {
	azure   Platform
	node    Node
	enabled func() bool
	log     *slog.Logger

	name    string // of the VM, once known
	events  map[string]*event
	drained bool // Drain was called
	held    bool // Hold was called
	failing bool // the last question had no answer
}

// event is an event of this VM.
type event struct {
	imds.Event
	ready    time.Time // when traffic has moved; zero if it was not told to
	approved bool
}

// New returns a keeper that watches while enabled says so.
func New(azure Platform, node Node, enabled func() bool, log *slog.Logger) *Keeper {
	return &Keeper{azure: azure, node: node, enabled: enabled, log: log, events: map[string]*event{}}
}

// Run watches until ctx ends. A drain that it began then stays: the process ends,
// maybe because of the event.
func (k *Keeper) Run(ctx context.Context) error {
	for pause := pollInterval; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		if !k.enabled() {
			k.take(ctx, nil)
			pause = pollInterval
			continue
		}
		pause = k.poll(ctx)
	}
}

// poll asks once and returns when to ask again.
func (k *Keeper) poll(ctx context.Context) time.Duration {
	events, err := k.ask(ctx)
	if err != nil {
		if !k.failing && ctx.Err() == nil {
			k.log.Warn("scheduled events are not known", "reason", err)
		}
		k.failing = true
		return retryInterval
	}
	if k.failing {
		k.log.Info("scheduled events are known again")
		k.failing = false
	}
	k.take(ctx, events)
	return pollInterval
}

// ask returns the events of this VM.
func (k *Keeper) ask(ctx context.Context) ([]imds.Event, error) {
	if k.name == "" {
		name, err := k.azure.Name(ctx)
		if err != nil {
			return nil, err
		}
		k.name = name
	}
	all, err := k.azure.Events(ctx)
	return slices.DeleteFunc(all, func(e imds.Event) bool { return !slices.Contains(e.Resources, k.name) }), err
}

// take acts on the events of this VM that there are, and on the end of others.
func (k *Keeper) take(ctx context.Context, events []imds.Event) {
	for id, e := range k.events {
		if !slices.ContainsFunc(events, func(n imds.Event) bool { return n.ID == id }) {
			k.log.Info("scheduled event is over", "type", e.Type, "event", id)
			delete(k.events, id)
		}
	}
	for _, e := range events {
		if k.events[e.ID] == nil {
			k.events[e.ID] = &event{}
			k.log.Warn("scheduled event", "type", e.Type, "event", e.ID, "not_before", e.NotBefore, "started", e.Started, "description", e.Description)
		}
		k.events[e.ID].Event = e
		k.prepare(ctx, k.events[e.ID])
	}
	k.recover(ctx)
}

// prepare takes the NVA a step further towards being ready for e.
func (k *Keeper) prepare(ctx context.Context, e *event) {
	if e.interrupts() && e.ready.IsZero() {
		left, err := k.node.Drain(ctx, e.reason())
		if err != nil {
			k.log.Error("not drained before a scheduled event", "type", e.Type, "event", e.ID, "reason", err)
			return
		}
		k.drained, e.ready = true, time.Now().Add(left)
	}
	drained := !time.Now().Before(e.ready)
	if e.Type == imds.Freeze && e.interrupts() && !k.held && (e.Started || drained) {
		k.held = true
		k.node.Hold(true)
	}
	if drained && !e.Started && !e.approved && len(e.Resources) == 1 {
		k.approve(ctx, e)
	}
}

// approve lets e begin, or tries again a little later; at last, it begins anyway.
func (k *Keeper) approve(ctx context.Context, e *event) {
	if err := k.azure.Approve(ctx, e.ID); err != nil {
		k.log.Warn("scheduled event not approved", "type", e.Type, "event", e.ID, "reason", err)
		e.ready = time.Now().Add(retryInterval)
		return
	}
	k.log.Info("scheduled event approved", "type", e.Type, "event", e.ID)
	e.approved = true
}

// interrupts reports whether the VM is away for a while, as it is when Azure does
// not know.
func (e *event) interrupts() bool { return e.Duration != 0 }

// reason is e in words.
func (e *event) reason() string {
	text := "Azure: " + string(e.Type)
	if !e.NotBefore.IsZero() {
		text += " not before " + e.NotBefore.UTC().Format(time.RFC3339)
	}
	return text
}

// recover undoes what no event is left for.
func (k *Keeper) recover(ctx context.Context) {
	freeze, drain := false, false
	for _, e := range k.events {
		freeze = freeze || e.Type == imds.Freeze
		drain = drain || !e.ready.IsZero()
	}
	if k.held && !freeze {
		k.held = false
		k.node.Hold(false)
	}
	if k.drained && !drain {
		if err := k.node.Undrain(ctx); err != nil {
			k.log.Error("drain not ended after a scheduled event", "reason", err)
			return
		}
		k.drained = false
	}
}
