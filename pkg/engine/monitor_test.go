package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// station is a Monitor that writes down what it is sent.
type station struct {
	mu     sync.Mutex
	lines  []string
	full   bool
	ended  bool
	octets int
	why    string
}

func (s *station) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *station) PeerUp(up speaker.Established, _ time.Time) { s.add("up %s", up.Peer) }

func (s *station) PeerDown(down speaker.Down, _ time.Time) {
	s.add("down %s %s", down.Peer, down.Reason)
}

func (s *station) EndOfRIB(peer netip.Addr, f route.Family) { s.add("end %s %s", peer, f) }

func (s *station) Routes(list []rib.Heard) {
	for _, h := range list {
		s.add("%s %s %s", h.Neighbor, h.Prefix, strings.Join(slices.DeleteFunc(
			[]string{sign(h.Pre, h.Received, "pre"), sign(h.Post, h.Accepted, "post")}, func(s string) bool { return s == "" }), " "))
	}
}

func sign(news bool, a *route.Attrs, view string) string {
	switch {
	case !news:
		return ""
	case a == nil:
		return "-" + view
	}
	return "+" + view
}

func (s *station) Room() bool { return !s.is(&s.full) }

func (s *station) Ended() bool { return s.is(&s.ended) }

func (s *station) is(p *bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *p
}

func (s *station) set(p *bool, value bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*p = value
}

func (s *station) Octets() int { return s.octets }

func (s *station) End(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.why = true, reason
}

// want takes the lines since the last call.
func (s *station) want(t *testing.T, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.lines
	if s.lines = nil; !slices.Equal(got, want) {
		t.Errorf("%s: sent %q, want %q", what, got, want)
	}
}

const fromRS, fromNVA = "10.0.210.4 10.1.0.0/16 ", "169.254.0.2 10.1.0.0/16 "

// A station is sent what there is, and then every change, in order.
func TestMonitor(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		early, late := &station{}, &station{}
		e.Monitor(early)
		p.establish(routeServer, false, false)
		p.announce(routeServer, prefix)
		early.want(t, "from the beginning", "up 10.0.210.4", fromRS+"+pre +post")
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		e.Monitor(late)
		late.want(t, "what there is", "up 10.0.210.4", "up 169.254.0.2", fromRS+"+pre +post", fromNVA+"+pre +post",
			"end 10.0.210.4 ipv4 unicast", "end 169.254.0.2 ipv4 unicast")
		early.want(t, "nothing of it again", "up 169.254.0.2", fromNVA+"+pre +post")

		p.events <- speaker.EndOfRIB{From: speaker.From{Peer: farNVA}, Family: route.IPv4}
		p.events <- speaker.Update{From: speaker.From{Peer: farNVA}, Withdrawn: []netip.Prefix{prefix}}
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "lost"}
		for _, s := range []*station{early, late} {
			s.want(t, "the end", "end 169.254.0.2 ipv4 unicast", fromNVA+"-pre -post", "down 169.254.0.2 lost")
		}

		cfg := hub00()
		cfg.Neighbors[0].Import = policy.Chain{}
		apply(t, e, cfg)
		early.want(t, "policy that denies", fromRS+"-post")
		cfg = hub00()
		cfg.Neighbors = cfg.Neighbors[1:]
		apply(t, e, cfg)
		early.want(t, "neighbor removed", "down 10.0.210.4 ")

		late.set(&late.ended, true)
		e.MonitorRoom()
		synctest.Wait()
		p.establish(farNVA, true, false)
		early.want(t, "the other stays", "up 169.254.0.2")
		if late.want(t, "before it ended", fromRS+"-post", "down 10.0.210.4 "); len(e.monitors) != 1 {
			t.Errorf("%d monitors", len(e.monitors))
		}
	})
}

// Routes that graceful restart keeps are sent again after the next session came up, and
// withdrawn when they go.
func TestMonitorRestart(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		s := &station{}
		e.Monitor(s)
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Graceful: true}
		s.want(t, "restart", "up 169.254.0.2", fromNVA+"+pre +post", "down 169.254.0.2 ")
		p.establish(farNVA, true, true)
		s.want(t, "kept", "up 169.254.0.2", fromNVA+"+pre +post")
		p.events <- speaker.EndOfRIB{From: speaker.From{Peer: farNVA}, Family: route.IPv4}
		s.want(t, "swept", "end 169.254.0.2 ipv4 unicast", fromNVA+"-pre -post")
	})
}

// While a station has no room, it is not sent what there is. Changes do not wait.
func TestMonitorWithoutRoom(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(routeServer, false, false)
		p.announce(routeServer, prefix)
		s := &station{full: true}
		e.Monitor(s)
		s.want(t, "no room", "up 10.0.210.4")
		other := netip.MustParsePrefix("10.2.0.0/16")
		p.announce(routeServer, other)
		s.want(t, "a change", "10.0.210.4 10.2.0.0/16 +pre +post")
		s.set(&s.full, false)
		e.MonitorRoom()
		s.want(t, "room", fromRS+"+pre +post", "end 10.0.210.4 ipv4 unicast")
	})
}

// When memory is short, a station that much waits for ends before a session does.
func TestMonitorOverBudget(t *testing.T) {
	crowded(t, func(t *testing.T, e *Engine, p *ports, m *fakeMemory, in *route.Interner) {
		m.budget.Store(500 << 10)
		slow, quick := &station{octets: worthEnding}, &station{octets: worthEnding - 1}
		e.Monitor(slow)
		e.Monitor(quick)
		p.load(in, routeServer, 100)
		m.inUse.Store(600 << 10)
		time.Sleep(time.Second)
		e.MemoryLow()
		if synctest.Wait(); !slow.Ended() || slow.why == "" || quick.Ended() || p.closed(routeServer) {
			t.Errorf("ended: %t %q and %t, session closed: %t", slow.Ended(), slow.why, quick.Ended(), p.closed(routeServer))
		}
		m.inUse.Store(600 << 10)
		time.Sleep(time.Second)
		if e.MemoryLow(); !p.closed(routeServer) {
			t.Error("no station helps any more, but no session was closed")
		}
	})
}
