package bfd

import (
	"fmt"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
	"github.com/nvad/nvad/pkg/bfd"
)

// TestAddressComesLater: the session waits for its local address, goes down when it loses the
// address, and comes up again with it.
func TestAddressComesLater(t *testing.T) {
	s := newScene(t, rivals.BIRD20, direct, false)
	remove := "ip -n " + s.lan.near + " addr del 10.77.0.1/24 dev direct"
	restore := "ip -n " + s.lan.near + " addr add 10.77.0.1/24 dev direct"
	sh(t, remove)
	s.near.configure(s.session(interval))
	s.far.start(t, interval)
	s.near.quiet(3 * time.Second)
	if got := s.near.status(); got.Error == "" || got.State != bfd.Down {
		t.Fatalf("got %+v", got)
	}
	sh(t, restore)
	s.near.expect(bfd.Up, 10*time.Second)
	s.settled(t, interval)

	sh(t, remove)
	s.near.expect(bfd.Down, 10*time.Second)
	lab.Eventually(t, 5*time.Second, func() error {
		if got := s.near.status(); got.Error == "" {
			return fmt.Errorf("no error: %+v", got)
		}
		return nil
	})
	sh(t, restore)
	s.near.expect(bfd.Up, 10*time.Second)
	s.settled(t, interval)
}

// TestDeviceIsMadeAgain: a session that is bound to a device name also works on a new device
// with that name.
func TestDeviceIsMadeAgain(t *testing.T) {
	s := newScene(t, rivals.FRR8, direct, false)
	bound := s.session(interval)
	bound.Device = "direct"
	s.near.configure(bound)
	s.far.start(t, interval)
	s.near.expect(bfd.Up, 10*time.Second)
	sh(t, "ip -n "+s.lan.near+" link del direct")
	s.near.expect(bfd.Down, 10*time.Second)
	lab.Eventually(t, 5*time.Second, func() error {
		if got := s.near.status(); got.Error == "" {
			return fmt.Errorf("no error: %+v", got)
		}
		return nil
	})
	s.lan.joinDirect()
	s.near.expect(bfd.Up, 20*time.Second)
	s.settled(t, interval)

	bound.Device = "wide" // packets arrive on the other device
	s.near.configure(bound)
	s.near.expect(bfd.Down, 10*time.Second)
	if discards := s.near.ask(request{Snapshot: true}).Discards["received on another device"]; discards == 0 {
		t.Fatal("packets from another device are taken")
	}
	bound.Device = ""
	s.near.configure(bound)
	s.near.expect(bfd.Up, 10*time.Second)
}

// TestFastest prints how BFD at 10 ms x 3 holds against other daemons on this machine.
func TestFastest(t *testing.T) {
	for _, rival := range rivals.All {
		t.Run(rival.Title, func(t *testing.T) {
			s := newScene(t, rival, direct, false)
			s.near.configure(s.session(bfd.MinInterval))
			s.far.start(t, bfd.MinInterval)
			s.near.expect(bfd.Up, 10*time.Second)
			time.Sleep(5 * time.Second)
			got := s.near.ask(request{Snapshot: true})
			x := got.Sessions[0]
			t.Logf("%v x 3, 5 s: %d flaps, %d packets out, %d in, loop at worst %v late; last down: %q",
				bfd.MinInterval, x.Flaps, x.PacketsOut, x.PacketsIn, got.Lateness, x.LastDown)
		})
	}
}
