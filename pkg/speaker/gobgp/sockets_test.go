package gobgp

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// taken listens on the BGP port of an address until it is closed.
func taken(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: addr(address).AsSlice(), Port: int(testPort)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A reload that needs a socket which can't be opened, or a key that can't be set, is refused
// before any session is touched, and leaves nothing behind.
func TestPrepareTouchesNoSession(t *testing.T) {
	t.Parallel()
	a := newTestSpeaker(t, "127.0.21.1", "10.0.0.1", 65001)
	b := newTestSpeaker(t, "127.0.21.2", "10.0.0.2", 65002)
	na := a.neighbor(b)
	a.configure(na)
	b.configure(b.neighbor(a))
	next[speaker.Established](a, 2*time.Second)
	taken(t, "127.0.21.3")

	elsewhere, everywhere, keyed := na, na, na
	elsewhere.Address, elsewhere.LocalAddress = addr("127.0.21.9"), addr("127.0.21.3")
	everywhere.LocalAddress = netip.Addr{}
	keyed.Password = strings.Repeat("k", 81) // longer than the kernel's keys
	for name, next := range map[string][]speaker.Neighbor{
		"another address": {na, elsewhere}, "in place of it": {elsewhere}, "all addresses": {everywhere}, "key": {keyed},
	} {
		if err := a.Prepare(next); err == nil {
			t.Errorf("%s: no error", name)
		}
		if missing := a.Missing(); len(missing) > 0 {
			t.Errorf("%s: missing afterwards: %v", name, missing)
		}
	}
	quiet(t, a, 100*time.Millisecond)
	c, err := net.Dial("tcp4", fmt.Sprintf("127.0.21.1:%d", testPort))
	if err != nil {
		t.Fatalf("it listens no longer: %v", err)
	}
	c.Close()

	// If the port is taken later, nvad goes on without it and retries.
	other := taken(t, "127.0.21.4")
	elsewhere.LocalAddress = addr("127.0.21.4")
	a.Configure([]speaker.Neighbor{na, elsewhere})
	if missing := a.Missing(); len(missing) != 1 || !strings.Contains(missing[0].Error(), fmt.Sprintf("127.0.21.4 port %d: gobgp.test (pid ", testPort)) {
		t.Errorf("missing: %v", missing)
	}
	if err := a.Prepare([]speaker.Neighbor{na, elsewhere}); err != nil {
		t.Errorf("what is missing already refuses a reload: %v", err)
	}
	quiet(t, a, 0)
	other.Close()
	for end := time.Now().Add(3 * listenInterval); len(a.Missing()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still missing: %v", a.Missing())
		}
	}
}

// A neighbor whose key could not be set is not let in without one.
func TestNoKeyNobodyIn(t *testing.T) {
	s := newTestSpeaker(t, "127.0.22.1", "10.0.0.1", 65001)
	s.Configure([]speaker.Neighbor{{
		Address: addr("127.0.22.2"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65002, Passive: true,
		HoldTime: 90 * time.Second, Password: strings.Repeat("k", 81),
	}})
	if missing := s.Missing(); len(missing) != 1 || !strings.Contains(missing[0].Error(), "longer than 80 octets") {
		t.Errorf("missing: %v", missing)
	}
	p := dialRaw(t, s, "127.0.22.2")
	p.conn.SetDeadline(time.Now().Add(2 * time.Second))
	if n, err := p.conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("it got an answer")
	}
}

// A reset that was meant for a session which is over leaves the next one alone, also
// while that is in its handshake.
func TestLateReset(t *testing.T) {
	s := newTestSpeaker(t, "127.0.23.1", "224.0.0.1", 65001) // any identifier but 0 is one (RFC 6286)
	s.configure(speaker.Neighbor{
		Address: addr("127.0.23.2"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65002, Passive: true,
		Families: route.IPv4, HoldTime: 90 * time.Second,
	})
	const over = 999 // no session of this speaker
	peer := rawOpen{asn: 65002, id: "255.255.255.255", hold: 90}
	p := dialRaw(t, s, "127.0.23.2")
	p.expect(1) // in its handshake
	s.Reset(addr("127.0.23.2"), over, speaker.Notification{Code: 6, Subcode: 10})
	p.send(peer.message())
	p.expect(4)
	p.send(wire.Keepalive)
	now := next[speaker.Established](s, 2*time.Second)
	if now.RemoteID != addr("255.255.255.255") {
		t.Errorf("its identifier is %s", now.RemoteID)
	}
	s.Reset(addr("127.0.23.2"), over, speaker.Notification{Code: 6, Subcode: 10})
	quiet(t, s, 100*time.Millisecond)
	s.Reset(addr("127.0.23.2"), now.Session, speaker.Notification{Code: 6, Subcode: 10})
	next[speaker.Down](s, 2*time.Second)
}

// A passive neighbor that fails twice in the same way is Active again after each.
func TestSameFailureTwice(t *testing.T) {
	s := newTestSpeaker(t, "127.0.24.1", "10.0.0.1", 65001)
	s.configure(speaker.Neighbor{
		Address: addr("127.0.24.2"), LocalAddress: s.addr, LocalASN: 65001, RemoteASN: 65002, Passive: true, HoldTime: 90 * time.Second,
	})
	state := func(want speaker.State) speaker.StateChanged {
		t.Helper()
		for {
			if ev := next[speaker.StateChanged](s, 3*time.Second); ev.State == want {
				return ev
			}
		}
	}
	state(speaker.Active)
	var reasons [2]string
	for i := range reasons {
		p := dialRaw(t, s, "127.0.24.2")
		state(speaker.OpenSent)
		p.conn.Close()
		reasons[i] = state(speaker.Active).Reason
	}
	if reasons[0] != reasons[1] {
		t.Errorf("two failures, %q, that were to be equal", reasons)
	}
}
