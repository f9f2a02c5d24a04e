package tunnel_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/tunnel/tunneltest"
)

var (
	ownKey   = tunnel.NewPrivate([32]byte{8})
	otherKey = tunnel.NewPrivate([32]byte{16}).Public()
	outer    = netip.MustParseAddrPort("10.10.0.4:51820")
)

func wg0() tunnel.Tunnel {
	return tunnel.Tunnel{
		Name: "wg0", Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/30")},
		WireGuard: &tunnel.WireGuard{
			Private: ownKey, Port: 51820,
			Peer: tunnel.Peer{Public: otherKey, Endpoint: outer, Keepalive: 25 * time.Second},
		},
	}
}

// wireguardKernel has eth0, which leads to the peer.
func wireguardKernel() *tunneltest.Kernel {
	k := newKernel()
	k.Paths = map[netip.Addr]tunnel.Path{outer.Addr(): {Link: 1}}
	return k
}

// running returns a manager that has built t, and time of the last sync.
func running(t *testing.T, k *tunneltest.Kernel, wanted ...tunnel.Tunnel) *tunnel.Manager {
	t.Helper()
	m := tunnel.New(k)
	m.SetWanted(wanted)
	sync(t, m, t0)
	m.Repairs()
	k.Log = nil
	return m
}

// shake has the peer of wg0 make a handshake.
func shake(k *tunneltest.Kernel, at time.Time) {
	k.Change("wg0", func(l *tunnel.Link) {
		l.WireGuard.Peers = append([]tunnel.PeerState(nil), l.WireGuard.Peers...)
		l.WireGuard.Peers[0].LastHandshake = at
	})
}

func TestWireGuardBuild(t *testing.T) {
	k := wireguardKernel()
	m := tunnel.New(k)
	m.SetWanted([]tunnel.Tunnel{wg0()})
	if next := sync(t, m, t0); next != t0.Add(time.Second) {
		t.Errorf("looks again at %v, want in a second: no event says when a peer changes", next)
	}
	want := fmt.Sprintf("wg0 mtu 1440 up true alias nvad 169.254.0.1/30 wireguard %s port 51820 peer %s at %s keepalive 25s allowed [0.0.0.0/0 ::/0]",
		ownKey.Public(), otherKey, outer)
	if got := k.String(); !strings.Contains(got, want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	st := m.Status()[0]
	if st.State != "up" || st.Underlay != "eth0" || st.Source != netip.MustParseAddr("10.0.0.4") || st.Peer.Public != otherKey || st.Userspace {
		t.Errorf("status %+v", st)
	}
}

// A device that an earlier run left is taken over as it is, and so is the endpoint that its peer
// roamed to: no packet is lost in a restart.
func TestWireGuardRestart(t *testing.T) {
	k := wireguardKernel()
	running(t, k, wg0())
	roamed := netip.MustParseAddrPort("192.0.2.9:4242")
	k.Change("wg0", func(l *tunnel.Link) { l.WireGuard.Peers[0].Endpoint = roamed })
	shake(k, t0)
	m := tunnel.New(k)
	m.SetWanted([]tunnel.Tunnel{wg0()})
	sync(t, m, t0.Add(time.Minute))
	if len(k.Log) > 0 {
		t.Errorf("a restart did %q", k.Log)
	}
}

// What others change about a device is put back, and each time counts as one repair.
func TestWireGuardHeals(t *testing.T) {
	stranger := tunnel.PeerState{Peer: tunnel.Peer{Public: ownKey.Public()}}
	for name, spoil := range map[string]func(*tunnel.Link){
		"private key":     func(l *tunnel.Link) { l.WireGuard.Private = tunnel.NewPrivate([32]byte{72}) },
		"port":            func(l *tunnel.Link) { l.WireGuard.Port = 4 },
		"mark":            func(l *tunnel.Link) { l.WireGuard.Mark = 4 },
		"peer gone":       func(l *tunnel.Link) { l.WireGuard.Peers = nil },
		"second peer":     func(l *tunnel.Link) { l.WireGuard.Peers = append(l.WireGuard.Peers, stranger) },
		"other peer":      func(l *tunnel.Link) { l.WireGuard.Peers = []tunnel.PeerState{stranger} },
		"preshared key":   func(l *tunnel.Link) { l.WireGuard.Peers[0].Preshared = tunnel.NewShared([32]byte{56}) },
		"keepalive":       func(l *tunnel.Link) { l.WireGuard.Peers[0].Keepalive = 0 },
		"no allowed IPs":  func(l *tunnel.Link) { l.WireGuard.Peers[0].AllowedIPs = nil },
		"one allowed IP":  func(l *tunnel.Link) { l.WireGuard.Peers[0].AllowedIPs = tunnel.Everything()[:1] },
		"address gone":    func(l *tunnel.Link) { l.Addresses = nil },
		"foreign address": func(l *tunnel.Link) { l.Addresses = append(l.Addresses, netip.MustParsePrefix("10.99.0.1/24")) },
		"mtu":             func(l *tunnel.Link) { l.MTU = 1280 },
		"down":            func(l *tunnel.Link) { l.Up = false },
	} {
		k := wireguardKernel()
		m := running(t, k, wg0())
		shake(k, t0)
		want := k.String()
		k.Change("wg0", spoil)
		sync(t, m, t0.Add(time.Second))
		if got := k.String(); got != want {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
		if n := len(m.Repairs()); n != 1 {
			t.Errorf("%s: %d repairs, want 1", name, n)
		}
	}
}

func TestWireGuardDeviceGone(t *testing.T) {
	k := wireguardKernel()
	m := running(t, k, wg0())
	want := k.String()
	k.Uproot("wg0")
	sync(t, m, t0.Add(time.Second))
	if got := k.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if r := m.Repairs(); len(r) != 1 || r[0].What != "wg0 was gone" {
		t.Errorf("repairs %v", r)
	}
}

// Another program's device stays, unless it is exactly what is wanted.
func TestWireGuardForeign(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*tunnel.Link)
		want  string
	}{
		"the same":    {func(*tunnel.Link) {}, "up"},
		"another key": {func(l *tunnel.Link) { l.WireGuard.Private = tunnel.NewPrivate([32]byte{72}) }, "failed"},
		"no WireGuard": {func(l *tunnel.Link) {
			l.WireGuard = nil
		}, "failed"},
	} {
		k := wireguardKernel()
		running(t, k, wg0())
		k.Change("wg0", func(l *tunnel.Link) { l.Alias = ""; tt.spoil(l) })
		before := k.String()
		m := tunnel.New(k)
		m.SetWanted([]tunnel.Tunnel{wg0()})
		sync(t, m, t0)
		if got := m.Status()[0].State; got != tt.want {
			t.Errorf("%s: %s", name, got)
		}
		if tt.want == "failed" && k.String() != before {
			t.Errorf("%s: changed to\n%s", name, k)
		}
	}
}

// A tunnel that changes its type gets a new device, in both directions.
func TestTunnelChangesType(t *testing.T) {
	k := wireguardKernel()
	m := running(t, k, wg0())
	other := vxlan0(remote4)
	other.Name = "wg0"
	m.SetWanted([]tunnel.Tunnel{other})
	sync(t, m, t0)
	if got := k.String(); !strings.Contains(got, "wg0 mtu 1450 up true alias nvad 169.254.0.1/24 mac") {
		t.Errorf("not VXLAN:\n%s", got)
	}
	m.SetWanted([]tunnel.Tunnel{wg0()})
	sync(t, m, t0)
	if got := k.String(); !strings.Contains(got, "wg0 mtu 1440 up true alias nvad 169.254.0.1/30 wireguard") {
		t.Errorf("not WireGuard:\n%s", got)
	}
	if r := m.Repairs(); len(r) > 0 {
		t.Errorf("repairs %v", r)
	}
}

// The MTU follows the address family of the outer packets, and VXLAN inside follows that.
func TestWireGuardMTU(t *testing.T) {
	six := netip.MustParseAddrPort("[fd00::4]:51820")
	for _, tt := range []struct {
		end           netip.AddrPort
		link, set     int
		inner, nested int
	}{
		{outer, 1500, 0, 1440, 1390},
		{six, 1500, 0, 1420, 1370},
		{netip.AddrPort{}, 1500, 0, 1420, 1370}, // the peer may come over IPv6
		{outer, 9000, 0, 1440, 1390},
		{outer, 1400, 0, 1340, 1290},
		{outer, 1500, 1400, 1400, 1350},
	} {
		k := &tunneltest.Kernel{Low: 32768, High: 60999, Paths: map[netip.Addr]tunnel.Path{outer.Addr(): {Link: 1}, six.Addr(): {Link: 1}}}
		k.Plant(tunnel.Link{Name: "eth0", MTU: tt.link, Up: true, Carrier: true, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")}})
		wanted, inside := wg0(), vxlan0(netip.MustParseAddr("169.254.0.2"))
		wanted.MTU, wanted.WireGuard.Peer.Endpoint = tt.set, tt.end
		inside.Device, inside.Addresses = "wg0", []netip.Prefix{netip.MustParsePrefix("192.168.0.1/24")}
		m := running(t, k, inside, wanted)
		m.Kick() // the kernel reports the new link
		sync(t, m, t0)
		if st := m.Status(); st[1].Actual != tt.inner || st[0].Actual != tt.nested || st[1].Warning != "" {
			t.Errorf("%+v: %d, VXLAN inside %d (%s), warning %q", tt, st[1].Actual, st[0].Actual, st[0].Reason, st[1].Warning)
		}
	}
}

func TestWireGuardTooLarge(t *testing.T) {
	k := wireguardKernel()
	wanted := wg0()
	wanted.MTU = 1450
	m := running(t, k, wanted)
	if got := m.Status()[0].Warning; got != "packets of more than 1440 bytes do not get through: MTU 1450 needs 1510 on eth0, which has 1500" {
		t.Errorf("%q", got)
	}
}

// A new keepalive does not cost the session.
func TestWireGuardKeepsSession(t *testing.T) {
	k := wireguardKernel()
	m := running(t, k, wg0())
	shake(k, t0)
	again := wg0()
	again.WireGuard.Peer.Keepalive = 10 * time.Second
	m.SetWanted([]tunnel.Tunnel{again})
	sync(t, m, t0)
	if st := m.Status()[0]; st.Peer.Keepalive != 10*time.Second || !st.Peer.LastHandshake.Equal(t0) {
		t.Errorf("%+v", st.Peer)
	}
	if want := "wg0: set keys and peer"; len(k.Log) != 1 || k.Log[0] != want {
		t.Errorf("did %q, want %q alone", k.Log, want)
	}
}

func TestWireGuardFailsAndTriesAgain(t *testing.T) {
	for _, op := range []string{"wg0: create wireguard", "wg0: set alias", "wg0: set keys and peer", "wg0: set up"} {
		k := wireguardKernel()
		k.FailNext(op, fmt.Errorf("no"))
		m := tunnel.New(k)
		m.SetWanted([]tunnel.Tunnel{wg0()})
		next := sync(t, m, t0)
		if st := m.Status()[0]; st.State != "failed" || !strings.Contains(st.Reason, "no") {
			t.Errorf("%s: %s %s", op, st.State, st.Reason)
		}
		sync(t, m, next.Add(time.Second))
		if st := m.Status()[0]; st.State != "up" {
			t.Errorf("%s: still %s %s", op, st.State, st.Reason)
		}
	}
}

// Whatever prints a value with a secret in it does not show it.
func TestSecretsAreHidden(t *testing.T) {
	secret := tunnel.NewPrivate([32]byte{0xaa, 0xbb, 0xcc, 0xdd, 0xee})
	wanted := wg0()
	wanted.WireGuard.Private, wanted.WireGuard.Peer.Preshared = secret, secret
	device := tunnel.Device{Private: secret, Peers: []tunnel.PeerState{{Peer: wanted.WireGuard.Peer}}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("a", "secret", secret, "device", device, "wanted", *wanted.WireGuard)
	text, err := json.Marshal(device)
	if err != nil {
		t.Fatal(err)
	}
	op := tunnel.Op{Kind: tunnel.SetWireGuard, WireGuard: *wanted.WireGuard}
	for _, shown := range []string{
		log.String(), string(text), op.String(), fmt.Sprintf("%v %+v %#v %s %q %x %X %d", secret, secret, secret, secret, secret, secret, secret, secret),
		fmt.Sprintf("%v %+v %#v", *wanted.WireGuard, *wanted.WireGuard, *wanted.WireGuard),
		fmt.Sprintf("%v %+v %#v", device, device, device),
	} {
		for _, trace := range []string{secret.Base64(), "aabbccddee", "AABBCCDDEE", "170 187 204", "0xaa", "170, 187"} {
			if strings.Contains(shown, trace) {
				t.Errorf("%q in %s", trace, shown)
			}
		}
	}
	if _, err := tunnel.ParsePrivate("AAAA" + secret.Base64()); err == nil || strings.Contains(err.Error(), "AAAA") {
		t.Errorf("the error quotes the key: %v", err)
	}
}

func TestParseKey(t *testing.T) {
	k := otherKey.String()
	for text, ok := range map[string]bool{
		k: true, k[:43]: false, k + "=": false, "": false, strings.Repeat("A", 43) + "=": false, k[:42] + "/=": false, " " + k: false,
		k + "\n": false,
	} {
		got, err := tunnel.ParseKey(text)
		if (err == nil) != ok || ok && got != otherKey {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	// RFC 7748 section 6.1
	private, err := tunnel.ParsePrivate("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=")
	if want := "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="; err != nil || private.Public().String() != want {
		t.Errorf("public key %s, want %s (%v)", private.Public(), want, err)
	}
}
