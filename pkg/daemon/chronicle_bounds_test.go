package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"

	"github.com/nvad/nvad/pkg/watch"
)

// More events than the journal takes are lost; their number is recorded, the publisher does
// not wait, and then the state is recorded anew. Rare events are not affected.
func TestFloodOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChronicled(t, stateDir(t), 4)
		c.state = func(yield func(watch.Event) error) error {
			return yield(watch.Event{At: time.Now(), Change: watch.Route{Prefix: pfx0, New: bestFrom(peer0, 65515)}})
		}
		c.start()
		defer c.stop()
		const n = 100_000
		for i := range n {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
			c.hub.Publish(watch.Event{At: time.Now(), Change: watch.Route{Prefix: p, New: bestFrom(peer0, 65515)}})
		}
		c.publish(watch.Operation{What: "drain"})
		time.Sleep(200 * time.Millisecond)
		if got, err := c.at(watch.Operations, time.Now()); err != nil || !slices.Equal(got, []string{"drain"}) {
			t.Errorf("rare events wait: %q, %v", got, err)
		}
		time.Sleep(time.Minute)
		lost := c.frequent.lost.Load()
		all := c.events()
		if i := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, fmt.Sprintf("gap of %d: they came faster", lost)) }); lost == 0 || lost >= n || i < 0 {
			t.Errorf("%d events lost, and the gap is missing", lost)
		}
		if got, err := c.at(frequentKinds, time.Now()); err != nil || !slices.Equal(got, []string{"10.100.0.0/16 from 10.0.210.4 path 65515"}) {
			t.Errorf("%d routes afterwards, %v", len(got), err)
		}
	})
}

// A neighbor that floods the largest attributes fills no more than the share of frequent
// events, and displaces no rare one.
func TestFloodOfAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := stateDir(t)
		c := newChronicled(t, dir, 1)
		c.start()
		defer c.stop()
		c.publish(watch.Operation{What: "drain"})
		huge := &route.Attrs{NextHop: peer0, Communities: make([]route.Community, 16000), ASPath: route.NewASPath(make([]uint32, 200)...)}
		for i := range 3000 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}), 32)
			c.hub.Publish(watch.Event{At: time.Now(), Change: watch.Route{Prefix: p, New: watch.Best{Neighbor: peer0, Attrs: huge}}})
			if i%100 == 0 {
				time.Sleep(time.Second)
				if n := c.sample().Octets; n > 1<<20 {
					t.Fatalf("%d octets", n)
				}
			}
		}
		time.Sleep(time.Minute)
		if got := c.events(); !slices.Contains(got, "drain") {
			t.Error("the drain was displaced")
		}
		if _, err := c.at(watch.Routes, time.Now()); !errors.Is(err, journal.ErrNotKept) {
			t.Errorf("the state does not fit: %v", err)
		}
	})
}

// A state that does not fit is given up, said once, and recorded when it fits again.
func TestStateWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChronicled(t, stateDir(t), 1)
		var small atomic.Bool
		c.state = func(yield func(watch.Event) error) error {
			for i := range 100_000 {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
				if err := yield(watch.Event{At: time.Now(), Change: watch.Route{Prefix: p, New: bestFrom(peer0, 65515)}}); err != nil || small.Load() {
					return err
				}
			}
			return nil
		}
		c.start()
		defer c.stop()
		time.Sleep(3 * longPause)
		if _, err := c.at(watch.Routes, time.Now()); !errors.Is(err, journal.ErrNotKept) || !strings.Contains(err.Error(), "larger size of [journal]") {
			t.Errorf("the state is too large: %v", err)
		}
		if n := strings.Count(c.logged.String(), "raise size of [journal]"); n != 1 {
			t.Errorf("said %d times: %s", n, c.logged)
		}
		small.Store(true)
		time.Sleep(2 * longPause)
		if got, err := c.at(watch.Routes, time.Now()); err != nil || len(got) != 1 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A full disk costs events: how many is recorded when there is room again. Nobody who
// publishes notices.
func TestFullDisk(t *testing.T) {
	if os.Getenv("NVAD_REQUIRE_ROOT") != "1" && os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	synctest.Test(t, func(t *testing.T) {
		c := newChronicled(t, dir, 4)
		c.start()
		c.publish(watch.Neighbor{Address: peer0, To: speaker.EstablishedState})
		for range 3000 {
			c.publish(watch.Route{Prefix: pfx0, New: bestFrom(peer0, 65515)}, watch.Operation{What: "reset", Detail: strings.Repeat("x", 100)})
		}
		pause()
		text, lost := c.trouble(), c.frequent.lost.Load()
		if !strings.Contains(text, "the disk is full") || lost == 0 || c.rare.lost.Load() == 0 {
			t.Fatalf("trouble %q, %d lost", text, lost)
		}
		if n := strings.Count(c.logged.String(), "can't be written"); n > 2 {
			t.Errorf("said %d times", n)
		}
		if got := c.events(); len(got) < 100 {
			t.Errorf("%d events can be read meanwhile", len(got))
		}
		if err := unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, "size=8m"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * retryTime)
		c.publish(watch.Operation{What: "drain"})
		pause()
		if text := c.trouble(); text != "" {
			t.Errorf("trouble %q", text)
		}
		got := c.events()
		for _, r := range []*recorder{c.rare, c.frequent} {
			if want := fmt.Sprintf("gap of %d: the disk is full", r.lost.Load()); !slices.Contains(got, want) {
				t.Errorf("%q is missing", want)
			}
		}
		if state, err := c.at(watch.Operations, time.Now()); err != nil || !slices.Equal(state, []string{"drain"}) {
			t.Errorf("%q, %v", state, err)
		}
		c.stop()
	})
}
