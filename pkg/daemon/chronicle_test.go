package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"

	"github.com/nvad/nvad/pkg/watch"
)

// chronicled is a chronicle with the owners of state that a test wants.
type chronicled struct {
	*chronicle
	t      *testing.T
	hub    *watch.Hub
	logged *bytes.Buffer
	state  func(yield func(watch.Event) error) error // of routes
	stop   func()
}

func newChronicled(t *testing.T, dir string, mebibytes int) *chronicled {
	t.Helper()
	c := &chronicled{t: t, hub: &watch.Hub{}, logged: &bytes.Buffer{}}
	c.chronicle = newChronicle(slog.New(slog.NewTextHandler(c.logged, nil)), c.hub, dir, mebibytes)
	always := func(context.Context) bool { return true }
	none := func(context.Context, int64, func(watch.Event) error) error { return nil }
	c.rare.ready, c.rare.state, c.rare.takes = always, none, watch.Neighbors|watch.Tunnels
	c.frequent.ready, c.frequent.takes = always, frequentKinds
	c.frequent.state = func(_ context.Context, _ int64, yield func(watch.Event) error) error {
		if c.state == nil {
			return nil
		}
		return c.state(yield)
	}
	return c
}

// start runs the chronicle until the routes are recorded.
func (c *chronicled) start() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx) }()
	c.stop = func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			c.t.Error(err)
		}
	}
	pause()
}

// pause lets everything be recorded that is published.
func pause() { time.Sleep(3 * time.Second) }

func (c *chronicled) publish(changes ...watch.Change) {
	for _, ch := range changes {
		c.hub.Publish(watch.Event{At: time.Now(), Change: ch})
		time.Sleep(time.Millisecond)
	}
}

// events returns the events of the journal, in few words.
func (c *chronicled) events() (out []string) {
	c.t.Helper()
	p, err := c.past(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	err = p.Events(c.t.Context(), allKinds, time.Time{}, time.Time{}, yes, func(r *journal.Record) error {
		if !r.Taken {
			out = append(out, inWords(c.t, r))
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// at returns the state at a time, in few words.
func (c *chronicled) at(kinds watch.Kind, at time.Time) (out []string, err error) {
	p, err := c.past(c.t.Context())
	if err != nil {
		return nil, err
	}
	defer p.Close()
	err = p.State(c.t.Context(), uint16(kinds), at, yes, func(r *journal.Record) error {
		out = append(out, inWords(c.t, r))
		return nil
	})
	return out, err
}

// stateDir returns a state directory, in memory if that is possible: the tests sync often.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "nvad")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func yes(string) bool { return true }

func inWords(t *testing.T, r *journal.Record) string {
	t.Helper()
	m := &nvadv1.WatchEvent{}
	if err := proto.Unmarshal(r.Data, m); err != nil {
		t.Fatal(err)
	}
	switch {
	case r.Damaged:
		return "damaged"
	case m.GetNeighbor() != nil:
		return m.GetNeighbor().GetAddress() + " " + m.GetNeighbor().GetNewState()
	case m.GetRoute() != nil:
		return m.GetRoute().GetPrefix() + " from " + m.GetRoute().GetNew().GetNeighbor() + " path " + m.GetRoute().GetNew().GetAttributes().GetAsPath()
	case m.GetFib() != nil:
		return m.GetFib().GetPrefix() + " " + m.GetFib().GetNew()
	case m.GetTunnel() != nil:
		return m.GetTunnel().GetName() + " " + m.GetTunnel().GetNewState()
	case m.GetOperation() != nil:
		return m.GetOperation().GetWhat()
	case m.GetProblem() != nil:
		return m.GetProblem().GetKey()
	case m.GetGap() != nil:
		return fmt.Sprintf("gap of %d: %s", m.GetGap().GetLost(), m.GetGap().GetReason())
	}
	return m.GetDaemon().GetState()
}

const startGap = "gap of 0: nvad started: until it is in sync, it records no changes of routes"

var (
	peer0 = netip.MustParseAddr("10.0.210.4")
	pfx0  = netip.MustParsePrefix("10.100.0.0/16")
)

func bestFrom(n netip.Addr, path ...uint32) watch.Best {
	return watch.Best{Neighbor: n, Attrs: &route.Attrs{NextHop: n, ASPath: route.NewASPath(path...)}}
}

// What is published is in the journal, also after a restart, and a start begins with an
// empty state.
func TestChronicle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := stateDir(t)
		c := newChronicled(t, dir, 4)
		c.publish(watch.Life{State: "started"}) // before it runs
		c.start()
		c.publish(watch.Neighbor{Address: peer0, To: speaker.EstablishedState}, watch.Route{Prefix: pfx0, New: bestFrom(peer0, 65515)},
			watch.Forwarding{Prefix: pfx0, Class: "bgp", New: "via 10.0.0.1", State: "installed"})
		pause()
		before := time.Now()
		c.publish(watch.Life{State: "stopping"})
		c.stop()

		c = newChronicled(t, dir, 4)
		c.publish(watch.Life{State: "started"})
		c.start()
		defer c.stop()
		want := []string{"started", startGap, "10.0.210.4 Established", "10.100.0.0/16 from 10.0.210.4 path 65515", "10.100.0.0/16 via 10.0.0.1", "stopping", "started", startGap}
		if got := c.events(); !slices.Equal(sorted(got), sorted(want)) {
			t.Errorf("events %q, want %q", got, want)
		}
		want = []string{"10.0.210.4 Established", "10.100.0.0/16 from 10.0.210.4 path 65515", "10.100.0.0/16 via 10.0.0.1", "started"}
		if got, err := c.at(watch.Everything, before); err != nil || !slices.Equal(got, want) {
			t.Errorf("before: %q, %v, want %q", got, err, want)
		}
		if got, err := c.at(watch.Everything, time.Now()); err != nil || !slices.Equal(got, []string{"started"}) {
			t.Errorf("now: %q, %v", got, err)
		}
	})
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// Without a size nothing is recorded; with one again, everything from then on.
func TestChronicleOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := stateDir(t)
		c := newChronicled(t, dir, 0)
		c.start()
		defer c.stop()
		c.publish(watch.Operation{What: "reset"})
		if _, err := c.past(t.Context()); err == nil || !strings.Contains(err.Error(), "size of [journal] is 0") || c.hub.Wants(watch.Routes) {
			t.Errorf("off: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "journal")); err == nil {
			t.Error("there are files")
		}
		c.resize(4)
		pause()
		c.publish(watch.Operation{What: "drain"})
		pause()
		if got := c.events(); !slices.Equal(got, []string{startGap, "drain"}) {
			t.Errorf("on: %q", got)
		}
		c.resize(0)
		pause()
		if _, err := c.past(t.Context()); err == nil || c.hub.Wants(watch.Routes) {
			t.Errorf("off again: %v", err)
		}
		c.resize(8)
		pause()
		if got := c.events(); !slices.Contains(got, "drain") {
			t.Errorf("on again: %q", got)
		}
	})
}

// A directory that can't be opened is tried again.
func TestChronicleBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		blocker := filepath.Join(dir, "journal")
		if err := os.WriteFile(blocker, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c := newChronicled(t, dir, 4)
		c.start()
		defer c.stop()
		c.publish(watch.Operation{What: "reset"})
		pause()
		if _, err := c.past(t.Context()); err == nil || !strings.Contains(c.trouble(), "not a directory") {
			t.Errorf("%v, %q", err, c.trouble())
		}
		if err := os.Remove(blocker); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * retryTime)
		if got := c.events(); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "gap of 1: ") }) || c.trouble() != "" {
			t.Errorf("%q, %q", got, c.trouble())
		}
	})
}

// TestPastIsComplete: who asks for the past gets everything that was published before, so that
// a watch that began before it leaves nothing out in between.
func TestPastIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChronicled(t, t.TempDir(), 1)
		c.start()
		defer c.stop()
		for i := range 20 {
			asn := uint32(65000 + i)
			c.hub.Publish(watch.Event{At: time.Now(), Change: watch.Operation{What: fmt.Sprint("drain ", i)}},
				watch.Event{At: time.Now(), Change: watch.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16"), New: watch.Best{
					Neighbor: netip.MustParseAddr("10.0.0.1"), Attrs: &route.Attrs{ASPath: route.NewASPath(asn)}}}})
			list := strings.Join(c.events(), "\n")
			if !strings.Contains(list, fmt.Sprint("drain ", i)) || !strings.Contains(list, fmt.Sprint("path ", asn)) {
				t.Fatalf("after %d: %s", i, list)
			}
		}
	})
}
