package maintenance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/imds"
)

// hold is how long a drain takes.
const hold = 30 * time.Second

// bed stands for Azure and an NVA and records the requests they get. The real ones meet in
// integration/imds; this package tests what takes Azure minutes.
type bed struct {
	mu      sync.Mutex
	enabled bool
	err     error
	events  []imds.Event
	start   time.Time
	done    []string
}

// set changes the answers.
func (b *bed) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// state returns the current answers.
func (b *bed) state() (enabled bool, events []imds.Event, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.enabled, slices.Clone(b.events), b.err
}

func (b *bed) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, fmt.Sprintf("%v ", time.Since(b.start).Round(time.Second))+fmt.Sprintf(format, args...))
}

func (b *bed) Name(context.Context) (string, error) {
	_, _, err := b.state()
	return "vm-hub00", err
}

func (b *bed) Events(context.Context) ([]imds.Event, error) {
	_, events, err := b.state()
	return events, err
}

func (b *bed) Approve(_ context.Context, id string) error {
	b.note("approve %s", id)
	_, _, err := b.state()
	return err
}

func (b *bed) Drain(context.Context, string) (time.Duration, error) {
	b.note("drain")
	return hold, nil
}

func (b *bed) Undrain(context.Context) error {
	b.note("undrain")
	return nil
}

func (b *bed) Hold(on bool) { b.note("hold %v", on) }

// run lets the keeper watch while script moves through time, and compares what was recorded
// with want.
func run(t *testing.T, script func(*bed), want ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{enabled: true, start: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		enabled := func() bool {
			on, _, _ := b.state()
			return on
		}
		k := New(b, b, enabled, slog.New(slog.DiscardHandler))
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()
		// in the middle between two polls
		time.Sleep(pollInterval / 2)
		script(b)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if !slices.Equal(b.done, want) {
			t.Errorf("done\n%q, want\n%q", b.done, want)
		}
	})
}

func ev(id string, kind imds.EventType, duration time.Duration, vms ...string) imds.Event {
	return imds.Event{ID: id, Type: kind, Duration: duration, Resources: vms}
}

func TestReboot(t *testing.T) {
	run(t, func(b *bed) {
		b.set(func() {
			b.events = []imds.Event{ev("a", "Reboot", -1, "vm-hub00"), ev("other", "Reboot", -1, "vm-hub10")}
		})
		time.Sleep(time.Minute)
		b.set(func() { b.events[0].Started = true })
		time.Sleep(time.Minute)
		b.set(func() { b.events = b.events[1:] }) // the reboot became a freeze, or was cancelled
		time.Sleep(time.Minute)
	}, "1s drain", "31s approve a", "2m1s undrain")
}

func TestFreeze(t *testing.T) {
	run(t, func(b *bed) {
		b.set(func() { b.events = []imds.Event{ev("a", imds.Freeze, 5*time.Second, "vm-hub00")} })
		time.Sleep(time.Minute)
		b.set(func() { b.events[0].Started = true })
		time.Sleep(time.Minute)
		b.set(func() { b.events = nil })
		time.Sleep(time.Minute)
	}, "1s drain", "31s hold true", "31s approve a", "2m1s hold false", "2m1s undrain")
}

// TestStartedAtOnce: an event after a host failure starts without notice.
func TestStartedAtOnce(t *testing.T) {
	run(t, func(b *bed) {
		b.set(func() { b.events = []imds.Event{ev("a", imds.Freeze, -1, "vm-hub00")} })
		b.set(func() { b.events[0].Started = true })
		time.Sleep(time.Minute)
	}, "1s drain", "1s hold true")
}

// TestNoInterruption: if an event does not interrupt the VM, nothing is drained.
func TestNoInterruption(t *testing.T) {
	run(t, func(b *bed) {
		b.set(func() { b.events = []imds.Event{ev("a", imds.Freeze, 0, "vm-hub00")} })
		time.Sleep(time.Minute)
		b.set(func() { b.events = nil })
		time.Sleep(time.Minute)
	}, "1s approve a")
}

// TestShared: nvad drains before an event that affects other VMs too, but does not approve it,
// because they may not be ready.
func TestShared(t *testing.T) {
	run(t, func(b *bed) {
		b.set(func() { b.events = []imds.Event{ev("a", "Redeploy", -1, "vm-hub00", "vm-hub10")} })
		time.Sleep(20 * time.Minute)
	}, "1s drain")
}

// TestTwo: a drain lasts until the last event that needs it is over.
func TestTwo(t *testing.T) {
	run(t, func(b *bed) {
		b.set(func() {
			b.events = []imds.Event{ev("a", "Reboot", -1, "vm-hub00"), ev("b", imds.Freeze, 9*time.Second, "vm-hub00")}
		})
		time.Sleep(time.Minute)
		b.set(func() { b.events = b.events[1:] })
		time.Sleep(time.Minute)
		b.set(func() { b.events = nil })
		time.Sleep(time.Minute)
	}, "1s drain", "1s drain", "31s approve a", "31s hold true", "31s approve b", "2m1s hold false", "2m1s undrain")
}

// TestDisabled: when maintenance is switched off, it undoes what it did.
func TestDisabled(t *testing.T) {
	run(t, func(b *bed) {
		b.set(func() { b.enabled = false })
		b.set(func() { b.events = []imds.Event{ev("a", "Reboot", -1, "vm-hub00")} })
		time.Sleep(time.Minute)
		b.set(func() { b.enabled = true })
		time.Sleep(10 * time.Second)
		b.set(func() { b.enabled = false })
		time.Sleep(time.Minute)
	}, "1m1s drain", "1m11s undrain")
}

// TestNoAnswer: if the service does not answer, nvad keeps what it knows and polls less often.
func TestNoAnswer(t *testing.T) {
	run(t, func(b *bed) {
		b.set(func() { b.events = []imds.Event{ev("a", "Reboot", -1, "vm-hub00")} })
		time.Sleep(10 * time.Second)
		b.set(func() { b.err, b.events = errors.New("410 Gone"), nil })
		time.Sleep(time.Minute)
		b.set(func() { b.err = nil })
		time.Sleep(time.Minute)
	}, "1s drain", "1m11s undrain")
}

// TestApprovalFails: a failed approval is retried, but not every second.
func TestApprovalFails(t *testing.T) {
	run(t, func(b *bed) {
		e := ev("a", "Reboot", -1, "vm-hub00")
		k := New(failing{b}, b, func() bool { return true }, slog.New(slog.DiscardHandler))
		k.take(context.Background(), []imds.Event{e})
		for range 12 {
			time.Sleep(5 * time.Second)
			k.take(context.Background(), []imds.Event{e})
		}
		b.done = b.done[:3]
	}, "1s drain", "31s approve a", "36s approve a")
}

type failing struct{ *bed }

func (f failing) Approve(ctx context.Context, id string) error {
	_ = f.bed.Approve(ctx, id)
	return errors.New("500")
}
