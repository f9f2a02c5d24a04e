package interop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/gobgp"
)

// nvad is a Speaker with one neighbor.
type nvad struct {
	*gobgp.Speaker
	t  *testing.T
	in *route.Interner
	n  speaker.Neighbor
}

func (s setup) neighbor() speaker.Neighbor {
	n := speaker.Neighbor{
		Address: netip.MustParseAddr(s.theirs()), LocalASN: s.nvadASN(), RemoteASN: 65002,
		Families: route.IPv4 | route.IPv6, HoldTime: 9 * time.Second, Password: s.password,
	}
	if s.ttl {
		n.TTLSecurity = 1
	}
	if s.graceful {
		n.RestartTime = 100 * time.Second
	}
	return n
}

func newNvad(t *testing.T, n speaker.Neighbor, change ...func(*gobgp.Options)) *nvad {
	t.Helper()
	in := route.NewInterner()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("NVAD_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	o := gobgp.Options{ASN: n.LocalASN, RouterID: netip.MustParseAddr("10.99.0.1"), Interner: in, Log: log}
	for _, c := range change {
		c(&o)
	}
	sp, err := gobgp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &nvad{sp, t, in, n}
	t.Cleanup(func() { s.close(gobgp.CloseOptions{}) })
	sp.Configure([]speaker.Neighbor{n})
	if missing := sp.Missing(); len(missing) > 0 {
		t.Fatal(missing)
	}
	return s
}

func (s *nvad) close(o gobgp.CloseOptions) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx, o); err != nil {
		s.t.Errorf("close: %v", err)
	}
}

// next returns the next event of type E.
func next[E speaker.Event](s *nvad, d time.Duration) E {
	s.t.Helper()
	deadline := time.After(d)
	var last speaker.Event
	for {
		select {
		case ev := <-s.Events():
			if e, ok := ev.(E); ok {
				return e
			}
			last = ev
		case <-deadline:
			var e E
			s.t.Fatalf("no %T within %s; last was %+v", e, d, last)
		}
	}
}

// session is a session with everything that the peer has sent in it.
type session struct {
	speaker.Established
	routes map[netip.Prefix]*route.Attrs
	ended  route.Family // families whose End-of-RIB has arrived
}

// up waits for a session and for the peer's first routes in it. If both sides dial at the same
// moment, FRR may end a session that has just come up: it accepts nvad's connection, the
// session is established, and then FRR's own connection completes, which makes FRR clear the
// session. In that case the next session counts.
func (s *nvad) up(d time.Duration, routes int) session {
	s.t.Helper()
	begin := func() session {
		return session{Established: next[speaker.Established](s, d), routes: map[netip.Prefix]*route.Attrs{}}
	}
	up := begin()
	for len(up.routes) < routes {
		switch ev := next[speaker.Event](s, 10*time.Second).(type) {
		case speaker.Down:
			s.t.Logf("the session went down: %s", ev.Reason)
			up = begin()
		case speaker.EndOfRIB:
			up.ended |= ev.Family
		case speaker.Update:
			if ev.Err != nil {
				s.t.Errorf("UPDATE: %s", ev.Err)
			}
			for _, p := range ev.Announced {
				up.routes[p] = ev.Attrs
			}
		}
	}
	return up
}

// announce sends one route for each family.
func (s *nvad) announce(session uint64, path ...uint32) {
	if !s.n.IsInternal() {
		path = append([]uint32{s.n.LocalASN}, path...)
	}
	for prefix, hop := range map[string]string{"198.51.100.0/24": ours4, "2001:db8:2::/48": ours6} {
		a := s.in.Intern(route.Attrs{
			ASPath: route.NewASPath(path...), LocalPref: localPref(s.n), NextHop: netip.MustParseAddr(hop),
			MED: route.Some(7), Communities: []route.Community{65001<<16 | 20},
			LargeCommunities: []route.LargeCommunity{{Global: 65001, Local1: 1, Local2: 2}},
		})
		s.Send(s.n.Address, session, []speaker.Change{{Prefix: netip.MustParsePrefix(prefix), Attrs: a}})
	}
	s.SendEndOfRIB(s.n.Address, session, route.IPv4)
	s.SendEndOfRIB(s.n.Address, session, route.IPv6)
}

func localPref(n speaker.Neighbor) route.Optional {
	if n.IsInternal() {
		return route.Some(100)
	}
	return route.Optional{}
}

func forPeers(t *testing.T, f func(*testing.T, namespace, peer)) {
	for _, r := range rivals.All {
		t.Run(r.Title, func(t *testing.T) {
			lab.RequireRival(t, r)
			var p peer = &bird{version: r}
			if r.IsFRR() {
				p = &frr{version: r}
			}
			f(t, newNamespace(t), p)
		})
	}
}

// hasRoute waits until the peer shows all of want for prefix.
func hasRoute(t *testing.T, ns namespace, p peer, prefix string, want ...string) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, func() error {
		got := p.knows(t, ns, prefix)
		for _, w := range want {
			if !strings.Contains(got, w) {
				return fmt.Errorf("%q is not in\n%s", w, got)
			}
		}
		return nil
	})
}

// TestRoutes exchanges routes over each kind of session.
func TestRoutes(t *testing.T) {
	setups := map[string]setup{
		"ipv4":         {},
		"ipv6":         {v6: true},
		"ibgp":         {asn: 65002},
		"md5":          {password: "rosebud"},
		"md5 ipv6":     {password: "rosebud", v6: true},
		"ttl security": {ttl: true},
		"ttl, ipv6":    {ttl: true, v6: true},
		"passive":      {passive: true},
	}
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		for name, s := range setups {
			t.Run(name, func(t *testing.T) {
				d := p.start(t, ns, s)
				defer d.Kill()
				n := newNvad(t, s.neighbor())
				defer n.close(gobgp.CloseOptions{})
				up := n.up(5*time.Second, 2)
				if up.Families != route.IPv4|route.IPv6 || !up.FourOctetASN || up.HoldTime != 9*time.Second {
					t.Errorf("established: %+v", up)
				}
				path := "65002"
				if s.asn == 65002 {
					path = ""
				}
				for prefix, a := range up.routes {
					if a.ASPath.String() != path {
						t.Errorf("%s has path %q", prefix, a.ASPath)
					}
				}
				n.announce(up.Session, 65515, 4200000001)
				hasRoute(t, ns, p, "198.51.100.0/24", "65515 4200000001", ours4)
				hasRoute(t, ns, p, "2001:db8:2::/48", "65515 4200000001", ours6)
				n.Send(n.n.Address, up.Session, []speaker.Change{{Prefix: netip.MustParsePrefix("198.51.100.0/24")}})
				lab.Eventually(t, 5*time.Second, func() error {
					if strings.Contains(p.knows(t, ns, "198.51.100.0/24"), "65515") {
						return errors.New("the route is not withdrawn")
					}
					return nil
				})
			})
		}
	})
}

// TestTwoOctetPeer sends 4-octet ASNs through a session that does not support them (RFC 6793).
func TestTwoOctetPeer(t *testing.T) {
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		s := setup{twoOctet: true}
		p.start(t, ns, s)
		n := newNvad(t, s.neighbor())
		up := n.up(5*time.Second, 1)
		if up.FourOctetASN {
			t.Error("the peer announces 4-octet ASNs")
		}
		n.announce(up.Session, 65515, 4200000001)
		hasRoute(t, ns, p, "198.51.100.0/24", "65515")
	})
}

// TestRefresh requests routes in both directions (RFC 2918).
func TestRefresh(t *testing.T) {
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		p.start(t, ns, setup{})
		n := newNvad(t, setup{}.neighbor())
		up := n.up(5*time.Second, 2)
		n.announce(up.Session)
		hasRoute(t, ns, p, "198.51.100.0/24", ours4)
		n.RequestRefresh(n.n.Address, up.Session, route.IPv4)
		for wanted := netip.MustParsePrefix("203.0.113.0/24"); !slices.Contains(next[speaker.Update](n, 5*time.Second).Announced, wanted); {
		}
		if _, isFRR := p.(*frr); isFRR { // BIRD has an import table and need not ask
			p.refresh(t, ns)
			next[speaker.RouteRefresh](n, 5*time.Second)
		}
	})
}

// TestGracefulRestart restarts nvad, with the peer as helper, and then kills the
// peer (RFC 4724).
func TestGracefulRestart(t *testing.T) {
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		s := setup{graceful: true}
		d := p.start(t, ns, s)
		n := newNvad(t, s.neighbor())
		up := n.up(5*time.Second, 2)
		if up.GracefulPeer != route.IPv4|route.IPv6 || up.PeerRestart != 60*time.Second {
			t.Errorf("established: %+v", up)
		}
		n.announce(up.Session)
		hasRoute(t, ns, p, "198.51.100.0/24", ours4)
		n.close(gobgp.CloseOptions{Graceful: true})
		hasRoute(t, ns, p, "198.51.100.0/24", ours4) // still there

		again := newNvad(t, s.neighbor(), func(o *gobgp.Options) { o.Restarting = true })
		up = again.up(5*time.Second, 2)
		again.announce(up.Session)
		for seen := up.ended; seen != route.IPv4|route.IPv6; {
			seen |= next[speaker.EndOfRIB](again, 5*time.Second).Family
		}
		hasRoute(t, ns, p, "198.51.100.0/24", ours4)
		d.Kill()
		if down := next[speaker.Down](again, 5*time.Second); !down.Graceful {
			t.Errorf("down: %+v", down)
		}
	})
}

// TestCollisions starts nvad again and again beside a peer that dials too.
func TestCollisions(t *testing.T) {
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		p.start(t, ns, setup{})
		var slowest time.Duration
		for range 20 {
			begin := time.Now()
			n := newNvad(t, setup{}.neighbor())
			n.up(8*time.Second, 2)
			slowest = max(slowest, time.Since(begin))
			n.close(gobgp.CloseOptions{})
		}
		t.Logf("slowest of 20, with its routes: %s", slowest)
	})
}

// TestPeerRestarts measures how soon the session is up again.
func TestPeerRestarts(t *testing.T) {
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		n := newNvad(t, setup{}.neighbor())
		for range 3 {
			begin := time.Now()
			d := p.start(t, ns, setup{})
			next[speaker.Established](n, 5*time.Second)
			t.Logf("established %s after the start of the peer", time.Since(begin).Round(time.Millisecond))
			d.Kill()
			next[speaker.Down](n, 5*time.Second)
		}
	})
}

// TestShortOutages interrupts the path to the peer twice, each time for less than the hold
// time and with something to send meanwhile. The second outage comes more than a hold time
// after the first. With TCP_USER_TIMEOUT the kernel would treat the two as one.
func TestShortOutages(t *testing.T) {
	route4 := []string{"10.99.0.0/24", "dev", "nvad0"}
	ways := []struct {
		name        string
		cut, repair []string
	}{
		{"route", append([]string{"route", "del"}, route4...), append([]string{"route", "add"}, route4...)},
		{"link", []string{"link", "set", "nvad0", "down"}, []string{"link", "set", "nvad0", "up"}},
	}
	forPeers(t, func(t *testing.T, ns namespace, p peer) {
		if !p.rival().Whole() {
			t.Skip("runs in make test-rivals")
		}
		p.start(t, ns, setup{})
		for _, way := range ways {
			if p.rival() != rivals.FRR8 && way.name == "link" {
				continue // BIRD, and FRR with zebra, end a session themselves when its link goes down
			}
			n := newNvad(t, setup{}.neighbor())
			up := n.up(10*time.Second, 2)
			for i, lasts := range []time.Duration{1500 * time.Millisecond, 600 * time.Millisecond} {
				ns.Run(append([]string{"ip"}, way.cut...)...)
				n.announce(up.Session, uint32(65100+2*i))
				n.stays(lasts)
				ns.Run(append([]string{"ip"}, way.repair...)...)
				n.announce(up.Session, uint32(65101+2*i)) // before the kernel retransmits by itself
				n.stays(up.HoldTime + 2*time.Second)
			}
			hasRoute(t, ns, p, "198.51.100.0/24", "65103")
			n.close(gobgp.CloseOptions{})
		}
	})
}

// stays fails the test if the session is lost within d.
func (s *nvad) stays(d time.Duration) {
	s.t.Helper()
	for end := time.After(d); ; {
		select {
		case ev := <-s.Events():
			if down, ok := ev.(speaker.Down); ok {
				s.t.Fatalf("session lost: %s", down.Reason)
			}
		case <-end:
			return
		}
	}
}
