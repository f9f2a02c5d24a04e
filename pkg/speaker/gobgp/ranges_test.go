package gobgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// rangeAt is a range of neighbors of AS 65002 that may connect to s.
func rangeAt(s *testSpeaker, p string, limit int, change ...func(*speaker.Neighbor)) speaker.Range {
	r := speaker.Range{Prefix: prefix(p), Group: "g", Limit: limit, Neighbor: speaker.Neighbor{
		LocalAddress: s.addr, LocalASN: s.asn, RemoteASN: 65002, Families: route.IPv4, HoldTime: 90 * time.Second,
	}}
	for _, c := range change {
		c(&r.Neighbor)
	}
	return r
}

// join brings up a session from an address, with a router ID that equals it.
func join(s *testSpeaker, address string) (*rawPeer, speaker.Established) {
	s.t.Helper()
	p := dialRaw(s.t, s, address)
	p.open(rawOpen{asn: 65002, id: address, hold: 90, ipv4Only: true})
	return p, next[speaker.Established](s, 2*time.Second)
}

// places waits until so many places are taken.
func places(s *testSpeaker, want int, within time.Duration) {
	s.t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		if got := s.Ranges()["g"].Taken; got == want {
			return
		} else if time.Now().After(deadline) {
			s.t.Fatalf("%d places are taken, want %d", got, want)
		}
	}
}

// closed waits until nvad has closed the connection, and returns its NOTIFICATION.
func (p *rawPeer) closed() string {
	for {
		m := p.read()
		if m == nil {
			return "none"
		}
		if m.Type() == 3 {
			return fmt.Sprintf("%d/%d", m.Body()[0], m.Body()[1])
		}
	}
}

// Neighbors come and go from a range, up to its limit. A place is free again once the
// engine has forgotten the session.
func TestRange(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.40.1", "10.0.0.1", 65001)
	s.Configure(nil, rangeAt(s, "127.0.41.0/24", 2))
	_, first := join(s, "127.0.41.1")
	second, _ := join(s, "127.0.41.2")
	if first.Peer != addr("127.0.41.1") || first.RemoteID != first.Peer {
		t.Errorf("established: %+v", first)
	}
	if got := dialRaw(t, s, "127.0.41.3").closed(); got != "none" {
		t.Errorf("a third is refused with NOTIFICATION %s", got)
	}
	if got := dialRaw(t, s, "127.0.42.1").closed(); got != "none" {
		t.Errorf("a stranger is refused with NOTIFICATION %s", got)
	}
	if got := s.Ranges()["g"]; got != (speaker.RangeStats{Taken: 2, Limit: 2, Refused: 1}) {
		t.Errorf("%+v", got)
	}
	attrs := s.opts.Interner.Intern(route.Attrs{ASPath: route.NewASPath(65001), NextHop: addr("192.0.2.1")})
	s.Send(first.Peer, first.Session, []speaker.Change{{Prefix: prefix("10.0.0.0/8"), Attrs: attrs}})

	s.Reset(first.Peer, 0, speaker.Cease(speaker.CeaseReset)) // an operator's is no flap
	next[speaker.Down](s, 2*time.Second)
	places(s, 2, 0) // the engine may keep its routes
	s.Release(first.Peer, first.Session-1)
	_, again := join(s, "127.0.41.1") // it has its place still
	s.Release(first.Peer, first.Session)
	places(s, 2, 0)
	s.Reset(first.Peer, 0, speaker.Cease(speaker.CeaseReset))
	next[speaker.Down](s, 2*time.Second)
	s.Release(first.Peer, again.Session)
	places(s, 1, 2*time.Second)
	join(s, "127.0.41.3")
	if _, there := s.Stats(first.Peer); there {
		t.Error("counters of a neighbor that is gone")
	}

	second.conn.Close() // a flap: it must not come back as if it had never been here
	down := next[speaker.Down](s, 2*time.Second)
	s.Release(down.Peer, s.sessions.Load())
	s.pause(100 * time.Millisecond)
	places(s, 2, 0)
}

// A neighbor that is held back for its flaps keeps its place for longer than that, and
// loses it then. The engine's Release comes meanwhile.
func TestRangeHeldBack(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.40.6", "10.0.0.1", 65001)
	r := rangeAt(s, "127.0.47.0/24", 1)
	s.Configure(nil, r)
	p := newPeer(s.Speaker, r.At(addr("127.0.47.1")), nil)
	p.group, p.rest, p.backoff.until = "g", time.Now().Add(600*time.Millisecond), time.Now().Add(300*time.Millisecond)
	p.lastUp = 1
	s.mu.Lock()
	s.peers[p.cfg.Address] = p
	s.mu.Unlock()
	go p.run()
	s.Release(p.cfg.Address, 1)
	s.pause(450 * time.Millisecond)
	places(s, 1, 0)
	places(s, 0, 2*time.Second)
}

// A local user, who can connect from any address of this machine, becomes no dynamic
// neighbor. A neighbor that is configured with such an address is the operator's choice.
func TestRangeOwnAddress(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := newTestSpeaker(t, "127.0.40.8", "10.0.0.1", 65001, func(o *Options) {
		o.Own = func(a netip.Addr) bool { asked.Add(1); return a != addr("127.0.50.3") }
	})
	own := rangeAt(s, "127.0.50.2/32", 1).At(addr("127.0.50.2"))
	own.Dynamic = false
	s.Configure([]speaker.Neighbor{own}, rangeAt(s, "127.0.50.0/24", 1))
	if got := dialRaw(t, s, "127.0.50.1").closed(); got != "none" {
		t.Errorf("refused with NOTIFICATION %s", got)
	}
	places(s, 0, 0)
	join(s, "127.0.50.2")
	join(s, "127.0.50.3")
	for range 20 { // no place is free
		dialRaw(t, s, "127.0.50.1").closed()
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("%d lookups for two dynamic neighbors that found a free place", n)
	}
}

// Who fails the handshake loses the place soon, but not at once.
func TestRangeHandshakes(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.40.2", "10.0.0.1", 65001)
	s.handshakeTime = time.Second
	s.Configure(nil, rangeAt(s, "127.0.43.0/24", 3))
	dialRaw(t, s, "127.0.43.1").send(rawOpen{asn: 65003, id: "10.0.0.2", hold: 90}.message())
	dialRaw(t, s, "127.0.43.2").conn.Close()
	dialRaw(t, s, "127.0.43.3") // says nothing
	places(s, 3, time.Second)
	s.pause(time.Second)
	places(s, 3, 0)
	places(s, 0, 2*longDamping)
	join(s, "127.0.43.1")
}

// A neighbor that is configured is none of the range that contains it, also while it is
// shut down. Of two ranges the longer prefix decides.
func TestRangePrecedence(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.40.3", "10.0.0.1", 65001)
	own := speaker.Neighbor{
		Address: addr("127.0.44.1"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65009, Passive: true, HoldTime: 90 * time.Second,
	}
	shut := own
	shut.Address, shut.Disabled = addr("127.0.44.2"), true
	inner := rangeAt(s, "127.0.44.128/25", 9, func(n *speaker.Neighbor) { n.RemoteASN = 65008 })
	inner.Group = "inner"
	s.Configure([]speaker.Neighbor{own, shut}, rangeAt(s, "127.0.44.0/24", 9), inner)
	if got := dialRaw(t, s, "127.0.44.2").closed(); got != "none" {
		t.Errorf("a neighbor that is shut down is accepted, and gets %s", got)
	}
	for address, asn := range map[string]uint32{"127.0.44.1": 65009, "127.0.44.3": 65002, "127.0.44.200": 65008} {
		p := dialRaw(t, s, address)
		p.open(rawOpen{asn: asn, id: address, hold: 90})
		next[speaker.Established](s, 2*time.Second)
	}
	if got := s.Ranges(); got["g"].Taken != 1 || got["inner"].Taken != 1 {
		t.Errorf("%+v", got)
	}
}

// A reload ends the sessions that are in no range any more, resets those whose settings
// change, and leaves the others alone.
func TestRangeReload(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.40.4", "10.0.0.1", 65001)
	s.Configure(nil, rangeAt(s, "127.0.45.0/24", 9))
	inside, _ := join(s, "127.0.45.1")
	outside, _ := join(s, "127.0.45.200")
	s.Configure(nil, rangeAt(s, "127.0.45.0/25", 1))
	if got := outside.closed(); got != "6/3" {
		t.Errorf("NOTIFICATION %s, want 6/3, Peer De-configured", got)
	}
	next[speaker.Down](s, 2*time.Second)
	if got := dialRaw(t, s, "127.0.45.200").closed(); got != "none" {
		t.Errorf("outside of the range, the connection is accepted, and gets %s", got)
	}
	quiet(t, s, 100*time.Millisecond)
	s.Configure(nil, rangeAt(s, "127.0.45.0/25", 1, func(n *speaker.Neighbor) { n.HoldTime = 30 * time.Second }))
	if got := inside.closed(); got != "6/6" {
		t.Errorf("NOTIFICATION %s, want 6/6, Other Configuration Change", got)
	}
	next[speaker.Down](s, 2*time.Second)
	again, up := join(s, "127.0.45.1")
	if up.HoldTime != 30*time.Second {
		t.Errorf("hold time %s after the reload", up.HoldTime)
	}
	s.Configure([]speaker.Neighbor{up30(s, "127.0.45.1")}, rangeAt(s, "127.0.45.0/25", 1))
	if got := again.closed(); got != "6/6" {
		t.Errorf("configured by its address: NOTIFICATION %s, want 6/6", got)
	}
	places(s, 0, time.Second)
	s.Configure(nil)
	if _, found := s.Ranges()["g"]; found {
		t.Error("a group without ranges")
	}
}

// up30 is the neighbor that the range of TestRangeReload would make of address.
func up30(s *testSpeaker, address string) speaker.Neighbor {
	n := rangeAt(s, address+"/32", 1).At(addr(address))
	n.Dynamic, n.HoldTime = false, 30*time.Second
	return n
}

// notHere skips a test for which the machine lacks something. Where it has to be there, as
// in CI, the test fails.
func notHere(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("NVAD_REQUIRE_ROOT") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// Every address of a range must have its TCP-MD5 key; a neighbor within it has its own.
func TestRangeKey(t *testing.T) {
	t.Parallel()
	for _, family := range []struct{ local, in, one, other string }{
		{"127.0.40.5", "127.0.46.0/24", "127.0.46.1", "127.0.46.2"},
	} {
		s := newTestSpeaker(t, family.local, "10.0.0.1", 65001)
		key := func(key string) func(*speaker.Neighbor) {
			return func(n *speaker.Neighbor) { n.Password = key }
		}
		own := rangeAt(s, family.other+"/32", 1, key("own")).At(addr(family.other))
		own.Dynamic = false
		s.Configure([]speaker.Neighbor{own}, rangeAt(s, family.in, 9, key("shared")))
		if missing := s.Missing(); len(missing) > 0 {
			if strings.Contains(missing[0].Error(), "TCP_MD5SIG") {
				notHere(t, missing[0])
			}
			t.Fatal(missing)
		}
		for _, c := range []struct {
			from, key string
			connects  bool
		}{
			{family.one, "shared", true}, {family.one, "", false}, {family.one, "own", false},
			{family.other, "own", true}, {family.other, "shared", false},
		} {
			conn, err := dialKeyed(s, c.from, c.key)
			if (err == nil) != c.connects {
				t.Errorf("from %s with key %q: %v", c.from, c.key, err)
			}
			if err == nil {
				p := &rawPeer{t, conn}
				p.open(rawOpen{asn: 65002, id: "10.0.0.2", hold: 90})
				next[speaker.Established](s, 2*time.Second)
				conn.Close()
				next[speaker.Down](s, 2*time.Second)
			}
		}
		// Without the key the range is not listened on with it, so nobody may connect.
		s.Configure([]speaker.Neighbor{own}, rangeAt(s, family.in, 9))
		if _, err := dialKeyed(s, family.one, ""); err != nil {
			t.Errorf("the key is gone, but: %v", err)
		}
	}
}

func dialKeyed(s *testSpeaker, from, key string) (net.Conn, error) {
	d := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: addr(from).AsSlice()}, Timeout: 500 * time.Millisecond,
		Control: func(_, _ string, c syscall.RawConn) error {
			if key == "" {
				return nil
			}
			return onSocket(c, func(fd int) error { return setMD5(fd, single(s.addr), key) })
		},
	}
	d.SetMultipathTCP(false)
	return d.Dial("tcp4", netip.AddrPortFrom(s.addr, testPort).String())
}

// The kernel takes and gives up keys of prefixes of both families.
func TestKeysOfPrefixes(t *testing.T) {
	for at, keys := range map[string]keyring{
		"127.0.40.6": {prefix("127.0.47.0/24"): "shared", prefix("127.0.47.9/32"): "own", prefix("10.0.0.0/8"): "wide"},
		"::1":        {prefix("fd00::/64"): "shared", prefix("fd00::9/128"): "own", prefix("fd00::/8"): "wide"},
	} {
		l, err := openListener(t.Context(), addr(at), testPort)
		if err != nil {
			notHere(t, err) // no IPv6
		}
		defer l.Close()
		for range 2 {
			for _, wanted := range []keyring{keys, nil} {
				err := l.rekey(wanted, true)
				if err != nil && strings.Contains(err.Error(), "protocol not available") {
					notHere(t, err)
				}
				if err != nil || len(l.keys) != len(wanted) {
					t.Errorf("at %s: %v, keys of %d prefixes, want %d", at, err, len(l.keys), len(wanted))
				}
			}
		}
	}
}

// Neighbors that come and go at random, while the range is reloaded and places are given up,
// leave neither sockets nor places behind.
func TestRangeChurn(t *testing.T) {
	t.Parallel()
	s := newTestSpeaker(t, "127.0.40.7", "10.0.0.1", 65001)
	s.Configure(nil, rangeAt(s, "127.0.48.0/24", 10))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			from := fmt.Sprintf("127.0.48.%d", i+1)
			for ctx.Err() == nil {
				if conn, err := dialKeyed(s, from, ""); err == nil {
					_, _ = conn.Write(rawOpen{asn: 65002 + uint32(i%2), id: from, hold: 90}.message())
					_, _ = conn.Write(wire.Keepalive)
					s.pause(time.Duration(i) * time.Millisecond)
					conn.Close()
				}
			}
		})
	}
	all.Go(func() { // the engine
		for {
			select {
			case <-ctx.Done():
				return
			case ev := <-s.Events():
				if _, ok := ev.(speaker.Down); ok {
					s.Release(ev.Neighbor(), s.sessions.Load())
				}
				if n := s.Ranges()["g"].Taken; n > 10 {
					t.Errorf("%d places are taken, the limit is 10", n)
				}
			}
		}
	})
	for i := 0; ctx.Err() == nil; i++ {
		s.Configure(nil, rangeAt(s, "127.0.48.0/24", 10, func(n *speaker.Neighbor) { n.HoldTime = time.Duration(90+i%2) * time.Second }))
		s.pause(200 * time.Millisecond)
	}
	all.Wait()
	s.Configure(nil)
	if n := s.sessions.Load(); n < 20 {
		t.Errorf("%d sessions were begun", n)
	}
}
