package bfd

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
	"github.com/nvad/nvad/pkg/bfd"
)

const (
	interval  = 100 * time.Millisecond
	detection = 3 * interval
	// slack allows for a busy machine, not for the protocol: the test prints the figures.
	slack = 500 * time.Millisecond
)

// scene is nvad's side and a peer.
type scene struct {
	lan  lan
	near *speaker
	far  peer
	key  bfd.Key
}

func TestInterop(t *testing.T) {
	lab.RequireRoot(t)
	paths := []struct {
		name     string
		addrs    [2]netip.Addr
		multihop bool
		always   bool // also where only a part runs
	}{
		{"single-hop", direct, false, true}, {"multihop", distant, true, false},
		{"single-hop IPv6", direct6, false, false}, {"multihop IPv6", distant6, true, true},
	}
	steps := []struct {
		name string
		run  func(*testing.T, *scene)
	}{
		{"holds", holds},
		{"our parameters change", weChange},
		{"the peer's parameters change", peerChanges},
		{"the peer falls silent", peerSilent},
		{"the peer is killed", peerKilled},
		{"the peer restarts at once", peerRestarts},
		{"the peer is taken down", peerShut},
		{"we are taken down", weShut},
	}
	for _, rival := range rivals.All {
		for _, path := range paths {
			if !path.always && !rival.Whole() {
				continue
			}
			t.Run(rival.Title+" "+path.name, func(t *testing.T) {
				t.Parallel()
				s := setScene(t, rival, path.addrs, path.multihop)
				for _, step := range steps {
					if !t.Run(step.name, func(t *testing.T) { s.near.t = t; step.run(t, s) }) {
						s.near.t = t
						t.Fatalf("%+v\n%s", s.near.ask(request{Snapshot: true}), s.far.show(t))
					}
				}
				s.near.t = t
			})
		}
	}
}

// newScene creates a scene in which only the speaker runs.
func newScene(t *testing.T, rival rivals.Rival, addrs [2]netip.Addr, multihop bool) *scene {
	t.Helper()
	n := newLAN(t)
	return &scene{
		lan: n, near: startSpeaker(t, n.near), key: bfd.Key{Local: addrs[0], Remote: addrs[1], Multihop: multihop},
		far: newPeer(t, ends{rival: rival, test: t, space: n.far, dir: shortDir(t), device: "direct", local: addrs[1], remote: addrs[0], multihop: multihop}),
	}
}

// setScene creates a scene whose session is up.
func setScene(t *testing.T, rival rivals.Rival, addrs [2]netip.Addr, multihop bool) *scene {
	t.Helper()
	s := newScene(t, rival, addrs, multihop)
	s.near.configure(s.session(interval))
	s.far.start(t, interval)
	s.near.expect(bfd.Up, 10*time.Second)
	s.settled(t, interval)
	return s
}

func (s *scene) session(interval time.Duration) bfd.Session {
	return bfd.Session{Key: s.key, MinTx: interval, MinRx: interval, Multiplier: 3}
}

// settled waits until both sides are up and agree on an interval for our packets
// and the peer's.
func (s *scene) settled(t *testing.T, want time.Duration) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, func() error {
		got := s.near.status()
		if got.State != bfd.Up || got.TxInterval != want || got.RxInterval != want || got.DetectionTime != 3*want || got.Polling {
			return fmt.Errorf("got %+v", got)
		}
		if !s.far.up(t) {
			return fmt.Errorf("the peer is not up:\n%s", s.far.show(t))
		}
		return nil
	})
}

func holds(t *testing.T, s *scene) {
	s.near.quiet(2 * time.Second)
	if got := s.near.status(); got.Flaps != 0 {
		t.Fatalf("got %+v", got)
	}
}

func weChange(t *testing.T, s *scene) {
	for _, next := range []time.Duration{400 * time.Millisecond, 150 * time.Millisecond, interval} {
		s.near.configure(s.session(next))
		s.settled(t, max(next, interval))
	}
	s.near.quiet(time.Second)
}

func peerChanges(t *testing.T, s *scene) {
	for _, next := range []time.Duration{400 * time.Millisecond, 150 * time.Millisecond, interval} {
		s.far.change(t, next)
		s.settled(t, max(next, interval))
	}
	s.near.quiet(time.Second)
}

// detected checks the event after a peer has died, and prints how long it took.
func (s *scene) detected(t *testing.T, since time.Time) {
	t.Helper()
	e := s.near.expect(bfd.Down, detection+10*time.Second)
	took := e.At.Sub(since)
	t.Logf("detected after %v: %s", took.Round(time.Millisecond), e.Reason)
	if e.Diag != bfd.DiagDetectionExpired || e.Administrative || took > detection+e.Extended+slack {
		t.Fatalf("after %v: %+v", took, e)
	}
}

func peerSilent(t *testing.T, s *scene) {
	unmute := mute(t, s.lan.far)
	s.detected(t, time.Now())
	unmute()
	s.near.expect(bfd.Up, 10*time.Second)
	s.near.quiet(2 * time.Second)
	s.settled(t, interval)
}

func peerKilled(t *testing.T, s *scene) {
	died := time.Now()
	s.far.kill()
	s.detected(t, died)
	s.far.start(t, interval)
	s.near.expect(bfd.Up, 10*time.Second)
	s.near.quiet(2 * time.Second)
	s.settled(t, interval)
}

// peerRestarts: the session goes down once and comes back once.
func peerRestarts(t *testing.T, s *scene) {
	before := s.near.status().Flaps
	s.far.kill()
	s.far.start(t, interval)
	s.near.expect(bfd.Down, 10*time.Second)
	s.near.expect(bfd.Up, 10*time.Second)
	s.near.quiet(3 * time.Second)
	if got := s.near.status().Flaps; got != before+1 {
		t.Fatalf("%d flaps", got-before)
	}
	s.settled(t, interval)
}

func peerShut(t *testing.T, s *scene) {
	s.far.shut(t)
	e := s.near.expect(bfd.Down, 10*time.Second)
	t.Logf("%s", e.Reason)
	s.near.quiet(2 * time.Second)
	if _, tells := s.far.(*frr); tells && !e.Administrative {
		t.Fatalf("got %+v", e)
	}
	s.far.open(t)
	s.near.expect(bfd.Up, 10*time.Second)
	s.settled(t, interval)
}

func weShut(t *testing.T, s *scene) {
	s.near.configure()
	lab.Eventually(t, 5*time.Second, func() error {
		if s.far.up(t) {
			return fmt.Errorf("still up:\n%s", s.far.show(t))
		}
		return nil
	})
	s.near.configure(s.session(interval))
	s.near.expect(bfd.Up, 10*time.Second)
	s.settled(t, interval)
}
