// Package maintenance guides the NVA through Azure's scheduled events. Before its VM is rebooted,
// moved, evicted or frozen, it drains traffic and then lets Azure begin; when the event is
// over, the NVA carries traffic again.
//
// A freeze pauses the VM for some seconds and loses nothing, so BGP sessions stay up through it:
// their hold times are longer. BFD is faster, so it is put on hold. An event of several
// VMs is not approved, because the others may not be ready: Azure begins it in its own time.
//
// [Keeper.Run]'s goroutine owns the known events. How to drain and how to ask Azure is the
// caller's business.
package maintenance

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/imds"
)

const (
	// pollInterval is Azure's recommendation: the shortest notice is 30 seconds.
	pollInterval = time.Second
	// retryInterval is the pause after a request that failed.
	retryInterval = 5 * time.Second
)

// Platform asks Azure.
type Platform interface {
	// Name returns the VM's name in Azure.
	Name(context.Context) (string, error)
	// Events returns the events of this VM, and perhaps of others.
	Events(context.Context) ([]imds.Event, error)
	// Approve lets an event begin before its time.
	Approve(ctx context.Context, id string) error
}

// Node acts on the NVA.
type Node interface {
	// Drain moves traffic away, or joins a drain that is under way, and returns how much
	// longer that takes.
	Drain(ctx context.Context, reason string) (time.Duration, error)
	// Undrain ends what Drain began.
	Undrain(context.Context) error
	// Hold keeps this NVA and its neighbors from taking a pause for a failure, until it is
	// called with false.
	Hold(on bool)
}

// Keeper watches for events and reacts to them. Use [New] to make one.
type Keeper struct {
	azure   Platform
	node    Node
	enabled func() bool
	log     *slog.Logger

	name    string // of the VM, once known
	events  map[string]*event
	drained bool // Drain was called
	held    bool // Hold was called
	failing bool // the last request failed
}

// event is an event of this VM.
type event struct {
	imds.Event
	ready    time.Time // when traffic has moved; zero: no drain was necessary so far
	approved bool
}

// New returns a keeper that watches while enabled returns true.
func New(azure Platform, node Node, enabled func() bool, log *slog.Logger) *Keeper {
	return &Keeper{azure: azure, node: node, enabled: enabled, log: log, events: map[string]*event{}}
}

// Run watches until ctx ends. A drain that it began stays in force then: the process ends,
// perhaps because of the event.
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

// poll asks once and returns the pause before the next time.
func (k *Keeper) poll(ctx context.Context) time.Duration {
	events, err := k.ask(ctx)
	if err != nil {
		if !k.failing && ctx.Err() == nil {
			k.log.Warn("scheduled events cannot be read, tried again every few seconds", "reason", err)
		}
		k.failing = true
		return retryInterval
	}
	if k.failing {
		k.log.Info("scheduled events can be read again")
		k.failing = false
	}
	k.take(ctx, events)
	return pollInterval
}

// ask requests the events of this VM.
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

// take acts on the present events of this VM, and on the end of earlier ones.
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

// prepare does the next step to get the NVA ready for e.
func (k *Keeper) prepare(ctx context.Context, e *event) {
	if e.interrupts() && e.ready.IsZero() {
		left, err := k.node.Drain(ctx, e.reason())
		if err != nil {
			k.log.Error("drain before a scheduled event failed, tried again", "type", e.Type, "event", e.ID, "reason", err)
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

// approve lets e begin. If that fails, it is tried again later; in the end, e begins anyway.
func (k *Keeper) approve(ctx context.Context, e *event) {
	if err := k.azure.Approve(ctx, e.ID); err != nil {
		k.log.Warn("scheduled event not approved", "type", e.Type, "event", e.ID, "reason", err)
		e.ready = time.Now().Add(retryInterval)
		return
	}
	k.log.Info("scheduled event approved", "type", e.Type, "event", e.ID)
	e.approved = true
}

// interrupts reports whether e stops the VM for a while. An unknown duration counts as a while.
func (e *event) interrupts() bool { return e.Duration != 0 }

// reason describes e for the drain.
func (e *event) reason() string {
	text := "Azure: " + string(e.Type)
	if !e.NotBefore.IsZero() {
		text += " not before " + e.NotBefore.UTC().Format(time.RFC3339)
	}
	return text
}

// recover ends the hold and the drain once no event needs them.
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
			k.log.Error("drain after a scheduled event cannot be ended, tried again", "reason", err)
			return
		}
		k.drained = false
	}
}
