package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/tunnel"
)

const wireguardFile = head + `
[[tunnel]]
name = "wg0"
type = "wireguard"
public-key = "L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="
endpoint = "hub10.example.net:51820"
address = "169.254.0.1/30"
roaming = false
[[static-route]]
prefix = "10.10.0.0/16"
via = "169.254.0.2"
`

// wgBed is a wireguards without a daemon.
type wgBed struct {
	*wireguards
	wanted  dataplane.Wanted
	applied int
	status  []tunnel.Status
	dns     map[string][]netip.Addr
}

func newWGBed(t *testing.T, file string) *wgBed {
	t.Helper()
	cfg, err := config.Parse("nvad.toml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	b := &wgBed{dns: map[string][]netip.Addr{}}
	b.wireguards = newWireguards(slog.New(slog.DiscardHandler), t.TempDir(),
		func(w dataplane.Wanted) { b.wanted = w; b.applied++ }, func() []tunnel.Status { return b.status })
	b.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		if list := b.dns[host]; list != nil {
			return append([]netip.Addr(nil), list...), nil
		}
		return nil, errors.New("no such host")
	}
	b.set(cfg)
	return b
}

func (b *wgBed) endpoint() netip.AddrPort { return b.wanted.Tunnels[0].WireGuard.Peer.Endpoint }

// A key that is missing is made once, for nvad's eyes only, and found again.
func TestPrivateKeyIsMade(t *testing.T) {
	b := newWGBed(t, wireguardFile)
	path := filepath.Join(b.state, keysDirectory, "wg0.key")
	key := b.wanted.Tunnels[0].WireGuard.Private
	text, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(text)) != key.Base64() || key.IsZero() {
		t.Fatalf("%s: %v", path, err)
	}
	for p, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", p, info.Mode(), err)
		}
	}
	b.set(b.cfg)
	if got := b.wanted.Tunnels[0].WireGuard.Private; got != key {
		t.Error("another key after a reload")
	}
}

// Without a key the tunnel says why, and the key is tried again.
func TestPrivateKeyCannotBeMade(t *testing.T) {
	b := newWGBed(t, wireguardFile)
	path := filepath.Join(b.state, keysDirectory, "wg0.key")
	if err := os.WriteFile(path, []byte("AAAAsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.set(b.cfg)
	want := "no private key: " + path + ": want a WireGuard key: 44 characters of base64, as \"wg genkey\" prints it; " +
		"restore the file, or remove it: nvad then makes another key, and the peer needs its public key"
	if got := b.wanted.Tunnels[0].WireGuard.Broken; got != want {
		t.Errorf("%q", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b.notice(time.Now().Add(again + time.Second))
	if got := b.wanted.Tunnels[0].WireGuard; got.Broken != "" || got.Private.IsZero() {
		t.Errorf("still %+v", got)
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	const private = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
	write(t, dir, "key", private+"\n")
	write(t, dir, "short", private[1:])
	for _, tt := range []struct{ private, preshared, want string }{
		{"key", "key", ""},
		{"short", "key", "tunnel.wg0.private-key-file: " + dir + "/short: want a WireGuard key: 44 characters of base64, as \"wg genkey\" prints it"},
		{"key", "short", "tunnel.wg0.preshared-key-file: " + dir + "/short: want a WireGuard key: 44 characters of base64, as \"wg genpsk\" prints it"},
		{"key", "none", "tunnel.wg0.preshared-key-file: " + dir + "/none: no such file or directory"},
	} {
		file := write(t, t.TempDir(), "nvad.toml", wireguardFile+"[[tunnel]]\nname = \"wg9\"\ntype = \"wireguard\"\nlisten-port = 9\n"+
			"public-key = \"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\"\n")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		keys := "roaming = false\nprivate-key-file = \"" + tt.private + "\"\npreshared-key-file = \"" + tt.preshared + "\"\n"
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), "roaming = false\n", keys, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := load(file)
		if tt.want == "" {
			if err != nil || got.cfg.Tunnels[0].WireGuard.PrivateKey.Public().String() != "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=" {
				t.Errorf("%v", err)
			}
			if text := string(config.Print(got.cfg, false)); strings.Contains(text, private) {
				t.Errorf("printed:\n%s", text)
			}
		} else if err == nil || err.Error() != file+": "+tt.want {
			t.Errorf("got %v\nwant %s", err, tt.want)
		}
	}
}

// A name is looked up until it is found, and then only while the peer is silent.
func TestPeerByName(t *testing.T) {
	b := newWGBed(t, wireguardFile)
	now := time.Now()
	tick := func(after time.Duration) {
		now = now.Add(after)
		b.look(t.Context(), now)
	}
	tick(0)
	if b.endpoint().IsValid() {
		t.Fatalf("endpoint %s", b.endpoint())
	}
	if got := b.reason(tunnel.Status{Tunnel: tunnel.Tunnel{Name: "wg0"}, Reason: "no handshake"}); got != "no handshake; the name hub10.example.net does not resolve: no such host" {
		t.Errorf("%q", got)
	}
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	b.dns["hub10.example.net"] = []netip.Addr{one}
	tick(time.Second)
	if want := netip.AddrPortFrom(one, 51820); b.endpoint() != want {
		t.Fatalf("endpoint %s, want %s", b.endpoint(), want)
	}
	if got := b.wanted.NAT.Overlays[0].Pinned; got != one {
		t.Errorf("pinned to %s", got)
	}
	b.dns["hub10.example.net"] = []netip.Addr{two}
	tick(time.Hour)
	if b.endpoint().Addr() != one {
		t.Error("followed the name although the peer talks")
	}
	b.status = []tunnel.Status{{Tunnel: tunnel.Tunnel{Name: "wg0"}, Silent: "no handshake"}}
	tick(time.Second)
	if b.endpoint().Addr() != two {
		t.Error("did not follow the name of a silent peer")
	}
	b.dns["hub10.example.net"] = []netip.Addr{two, one}
	tick(time.Second)
	if b.endpoint().Addr() != two {
		t.Error("looked the name up again at once")
	}
	tick(again)
	if b.endpoint().Addr() != one {
		t.Error("did not try the other address of a silent peer")
	}
	delete(b.dns, "hub10.example.net")
	tick(again)
	if b.endpoint().Addr() != one {
		t.Error("forgot the address when DNS failed")
	}
}

// What a peer announces must not lead its own tunnel into itself, wherever it calls from.
func TestEndpointsAreProtected(t *testing.T) {
	b := newWGBed(t, wireguardFile)
	b.dns["hub10.example.net"] = addrs("192.0.2.1")
	call := netip.MustParseAddrPort("198.51.100.7:4242")
	b.status = []tunnel.Status{{
		Tunnel: tunnel.Tunnel{Name: "wg0", WireGuard: &tunnel.WireGuard{}}, Peer: tunnel.PeerState{Peer: tunnel.Peer{Endpoint: call}},
	}}
	b.look(t.Context(), time.Now())
	b.notice(time.Now())
	for _, a := range append(addrs("192.0.2.1"), call.Addr()) {
		found := false
		for _, p := range b.wanted.Protected {
			found = found || p.Addr == a && len(p.NotBy) == 1 && p.NotBy[0] == "wg0"
		}
		if !found {
			t.Errorf("%s is not protected: %+v", a, b.wanted.Protected)
		}
	}
	applied := b.applied
	b.look(t.Context(), time.Now())
	b.notice(time.Now())
	if b.applied != applied {
		t.Error("handed over again, although nothing changed")
	}
}

// Gateways behind a silent peer are dead for the forwarding plane, and alive when it talks.
func TestSilentPeer(t *testing.T) {
	b := newWGBed(t, wireguardFile)
	var diverted []string
	l := newLiveness(slog.New(slog.DiscardHandler), func(dead []netip.Addr) {
		text := ""
		for _, a := range dead {
			text += a.String()
		}
		diverted = append(diverted, text)
	}, func(netip.Addr, string) {})
	defer l.manager.Close()
	l.silent = b.silentGateways
	for _, silent := range []string{"", "no handshake", "no handshake", ""} {
		b.status = []tunnel.Status{{Tunnel: tunnel.Tunnel{Name: "wg0"}, Silent: silent}}
		l.askTunnels()
		v := engine.Vitals{Tunnels: map[string]engine.TunnelVitals{"wg0": {Up: true}, "vxlan0": {Up: true}}}
		b.silence(v)
		if v.Tunnels["wg0"].Up != (silent == "") || !v.Tunnels["vxlan0"].Up {
			t.Errorf("%q: health sees %+v", silent, v.Tunnels)
		}
	}
	if got := strings.Join(diverted, ","); got != "169.254.0.2," {
		t.Errorf("diverted %q", got)
	}
}

// The router ID comes from a NIC, not from a tunnel that another one runs in.
func TestUnderlayIsANIC(t *testing.T) {
	wg := config.Tunnel{Name: "wg0", Type: config.TunnelWireGuard}
	inside := config.Tunnel{Name: "vxlan0", Device: "wg0"}
	for _, tt := range []struct {
		want    string
		tunnels []config.Tunnel
	}{
		{"", nil}, {"", []config.Tunnel{wg, inside}}, {"eth0", []config.Tunnel{wg, inside, {Name: "vxlan1", Device: "eth0"}}},
	} {
		if got := underlay(&config.Config{Tunnels: tt.tunnels}); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// The public key can be had before nvad starts; nvad then uses the private one, whoever asked.
func TestPublicKey(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "")
	state := t.TempDir()
	if os.Geteuid() == 0 {
		if err := os.Chown(state, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	opt := Options{Socket: filepath.Join(state, "nvad.sock")}
	key, err := PublicKey(opt, "wg0")
	if err != nil {
		t.Fatal(err)
	}
	again, err := PublicKey(opt, "wg0")
	if err != nil || again != key {
		t.Errorf("another key the second time: %v", err)
	}
	private, err := madeKey(state, "wg0")
	if err != nil || private.Public() != key {
		t.Errorf("nvad uses another key: %v", err)
	}
	info, err := os.Stat(filepath.Join(state, keysDirectory, "wg0.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	if to := info.Sys().(*syscall.Stat_t); os.Geteuid() == 0 && (to.Uid != 65534 || to.Gid != 65534) {
		t.Errorf("the key belongs to %d:%d", to.Uid, to.Gid)
	}
	for _, name := range []string{"", "..", "../wg0", "a/b", "a name that is too long"} {
		if _, err := PublicKey(opt, name); err == nil {
			t.Errorf("made a key for %q", name)
		}
	}
}

// The next run knows where a peer behind NAT was; a file that makes no sense does no harm.
func TestPlacesOfPeers(t *testing.T) {
	caller := strings.Replace(wireguardFile, "endpoint = \"hub10.example.net:51820\"\n", "", 1)
	b := newWGBed(t, strings.Replace(caller, "roaming = false\n", "", 1))
	at := netip.MustParseAddrPort("198.51.100.7:4242")
	b.status = []tunnel.Status{{Tunnel: tunnel.Tunnel{Name: "wg0", WireGuard: &tunnel.WireGuard{}}, Peer: tunnel.PeerState{Peer: tunnel.Peer{Endpoint: at}}},
		{Tunnel: tunnel.Tunnel{Name: "gone", WireGuard: &tunnel.WireGuard{}}, Peer: tunnel.PeerState{Peer: tunnel.Peer{Endpoint: at}}}}
	b.notice(time.Now())
	next := func() *tunnel.WireGuard {
		var got dataplane.Wanted
		w := newWireguards(slog.New(slog.DiscardHandler), b.state, func(w dataplane.Wanted) { got = w }, func() []tunnel.Status { return nil })
		w.set(b.cfg)
		return got.Tunnels[0].WireGuard
	}
	if got := next(); got.Last != at || got.Peer.Endpoint.IsValid() {
		t.Errorf("%+v", got)
	}
	text, err := os.ReadFile(filepath.Join(b.state, keysDirectory, placesFile))
	if err != nil || string(text) != "wg0 198.51.100.7:4242\n" {
		t.Errorf("%q %v", text, err)
	}
	for _, text := range []string{"", "wg0\n", "wg0 x\nwg0 1.2.3.4\n", strings.Repeat("x", 100_000), "\x00 \x01"} {
		if err := os.WriteFile(filepath.Join(b.state, keysDirectory, placesFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := next(); got.Last.IsValid() {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestPlacesAreBounded: a file with the peers' places that has become huge, or is none, costs
// neither memory nor time.
func TestPlacesAreBounded(t *testing.T) {
	state := t.TempDir()
	file := filepath.Join(state, keysDirectory, placesFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(file), placesFile, "wg0 192.0.2.9:4242\n")
	if err := os.Truncate(file, 1<<40); err != nil { // a hole: it takes no room on the disk
		t.Fatal(err)
	}
	if got := readPlaces(state); got["wg0"] != netip.MustParseAddrPort("192.0.2.9:4242") || len(got) != 1 {
		t.Errorf("read %v", got)
	}
	if err := errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := readPlaces(state); len(got) != 0 {
		t.Errorf("read %v from a pipe", got)
	}
}
