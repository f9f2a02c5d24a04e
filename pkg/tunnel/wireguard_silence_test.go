package tunnel_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/tunnel"
)

// An endpoint is the peer's own business as long as it talks, unless it is pinned.
func TestWireGuardEndpoint(t *testing.T) {
	roamed := netip.MustParseAddrPort("192.0.2.9:4242")
	moved := netip.MustParseAddrPort("10.10.0.5:51820")
	for name, tt := range map[string]struct {
		pinned bool
		after  time.Duration // since the last handshake
		next   netip.AddrPort
		want   netip.AddrPort
	}{
		"roams":                             {false, time.Minute, outer, roamed},
		"is pinned":                         {true, time.Minute, outer, outer},
		"roamed and is silent":              {false, 4 * time.Minute, outer, outer},
		"has a new address by DNS":          {false, time.Minute, moved, moved},
		"has no address, it is behind NAT":  {false, 4 * time.Minute, netip.AddrPort{}, roamed},
		"is behind NAT and cannot be found": {true, 4 * time.Minute, netip.AddrPort{}, roamed},
	} {
		k := wireguardKernel()
		wanted := wg0()
		wanted.WireGuard.Pinned = tt.pinned
		if !tt.next.IsValid() {
			wanted.WireGuard.Peer.Endpoint = tt.next
		}
		m := running(t, k, wanted)
		k.Change("wg0", func(l *tunnel.Link) { l.WireGuard.Peers[0].Endpoint = roamed })
		shake(k, t0)
		if tt.next != outer && tt.next.IsValid() {
			again := wg0()
			again.WireGuard.Peer.Endpoint = tt.next
			m.SetWanted([]tunnel.Tunnel{again})
		}
		sync(t, m, t0.Add(tt.after))
		if got := m.Status()[0].Peer.Endpoint; got != tt.want {
			t.Errorf("a peer that %s is at %s, want %s", name, got, tt.want)
		}
	}
}

// A peer behind NAT is called where it was in the run before, unless the device knows better.
func TestWireGuardLast(t *testing.T) {
	last, present := netip.MustParseAddrPort("192.0.2.9:4242"), netip.MustParseAddrPort("192.0.2.10:1")
	wanted := wg0()
	wanted.WireGuard.Peer.Endpoint, wanted.WireGuard.Last = netip.AddrPort{}, last
	k := wireguardKernel()
	m := running(t, k, wanted)
	if got := m.Status()[0].Peer.Endpoint; got != last {
		t.Errorf("endpoint %s, want %s", got, last)
	}
	k.Change("wg0", func(l *tunnel.Link) { l.WireGuard.Peers[0].Endpoint = present })
	sync(t, m, t0.Add(time.Hour))
	if got := m.Status()[0].Peer.Endpoint; got != present || len(k.Log) > 0 {
		t.Errorf("endpoint %s, want %s; did %q", got, present, k.Log)
	}
}

// TestWireGuardClock: whatever the time of day does, a peer's age is the time since nvad saw its
// last handshake.
func TestWireGuardClock(t *testing.T) {
	for name, jump := range map[string]time.Duration{"set forward": time.Hour, "set back": -time.Hour} {
		k := wireguardKernel()
		m := running(t, k, wg0())
		at := func(after time.Duration, want string) {
			t.Helper()
			sync(t, m, t0.Add(after))
			if got := m.Status()[0].State; got != want {
				t.Errorf("%s, %v later: %s, want %s", name, after, got, want)
			}
		}
		shake(k, t0)
		at(0, "up")
		shake(k, t0.Add(100*time.Second-jump)) // as a clock stamps it that differs from nvad's by the jump
		at(100*time.Second, "up")
		again := wg0()
		again.MTU = 1300
		m.SetWanted([]tunnel.Tunnel{again}) // a reload forgets nothing of it
		at(294*time.Second, "up")
		at(296*time.Second, "down")
	}
}

// A peer without handshake for longer than WireGuard allows counts as dead, and lives again with
// the next one.
func TestWireGuardSilence(t *testing.T) {
	const never = -1
	for _, tt := range []struct {
		keepalive, now, shaken time.Duration
		want                   string
	}{
		{25 * time.Second, 5 * time.Second, never, "up"},
		{25 * time.Second, 16 * time.Second, never, "down no handshake with the peer yet"},
		{25 * time.Second, 16 * time.Second, 15 * time.Second, "up"},
		{25 * time.Second, 195 * time.Second, 0, "up"},
		{25 * time.Second, 196 * time.Second, 0, "down no handshake with the peer for more than 3m15s"},
		{25 * time.Second, 196 * time.Second, 190 * time.Second, "up"},
		{0, time.Hour, 0, "up"}, // without keepalive it may have had nothing to say
		{0, time.Hour, never, "up"},
	} {
		k := wireguardKernel()
		wanted := wg0()
		wanted.WireGuard.Peer.Keepalive = tt.keepalive
		m := running(t, k, wanted)
		if tt.shaken != never {
			shake(k, t0.Add(tt.shaken))
		}
		sync(t, m, t0.Add(tt.now))
		st := m.Status()[0]
		if got := strings.TrimSpace(st.State + " " + st.Reason); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
