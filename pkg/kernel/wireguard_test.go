package kernel

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/wireguard"
)

// wgEnd is one end of a WireGuard tunnel between two namespaces.
type wgEnd struct {
	t       *testing.T
	name    string // of the namespace
	ns      Namespace
	kernel  *Kernel
	manager *tunnel.Manager
	wanted  tunnel.Tunnel
}

// ends returns both ends of a tunnel, 169.254.0.1 and 169.254.0.2, over 10.0.0.4 and 10.0.0.5.
func ends(t *testing.T) (a, b *wgEnd) {
	t.Helper()
	if _, err := os.Stat(tunPath); err != nil {
		notHere(t, err.Error())
	}
	a, b = newEnd(t, 4, 5), newEnd(t, 5, 4)
	sh(t, fmt.Sprintf("ip -n %s link del eth0", a.name))
	sh(t, fmt.Sprintf("ip -n %s link del eth0", b.name))
	sh(t, fmt.Sprintf("ip -n %s link add eth0 type veth peer name eth0 netns %s", a.name, b.name))
	for i, e := range []*wgEnd{a, b} {
		sh(t, "ip -n "+e.name+" link set eth0 up")
		sh(t, fmt.Sprintf("ip -n %s addr add 10.0.0.%d/24 dev eth0", e.name, 4+i))
	}
	return a, b
}

func newEnd(t *testing.T, own, other byte) *wgEnd {
	ns, name := testNS(t)
	e := &wgEnd{t: t, name: name, ns: ns, wanted: tunnel.Tunnel{
		Name: "wg0", Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 0, own - 3}), 30)},
		WireGuard: &tunnel.WireGuard{
			Private: tunnel.NewPrivate([32]byte{own * 8}), Port: 51820,
			Peer: tunnel.Peer{
				Public: tunnel.NewPrivate([32]byte{other * 8}).Public(), Keepalive: time.Second,
				Endpoint: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, other}), 51820),
			},
		},
	}}
	e.start()
	t.Cleanup(e.stop)
	return e
}

// start is the start of a process that wants the tunnel.
func (e *wgEnd) start() {
	k, err := Open(e.ns)
	if err != nil {
		e.t.Fatal(err)
	}
	e.kernel, e.manager = k, tunnel.New(k.Tunnels)
	e.manager.SetWanted([]tunnel.Tunnel{e.wanted})
}

func (e *wgEnd) stop() {
	if err := e.kernel.Close(); err != nil {
		e.t.Error(err)
	}
}

func (e *wgEnd) sync() tunnel.Status {
	e.t.Helper()
	if _, err := e.manager.Sync(time.Now()); err != nil {
		e.t.Fatal(err)
	}
	return e.manager.Status()[0]
}

// reaches reports whether a packet gets to addr and back within a second.
func (e *wgEnd) reaches(addr string) bool {
	return exec.Command("ip", "netns", "exec", e.name, "ping", "-c1", "-W1", addr).Run() == nil
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func (e *wgEnd) up(other string) {
	e.t.Helper()
	eventually(e.t, "a packet to "+other, func() bool {
		if st := e.sync(); st.State == "failed" {
			e.t.Fatal(st.Reason)
		}
		return e.reaches(other)
	})
}

// Where the kernel has no WireGuard, nvad encrypts itself: packets get through, the handshake and
// the counters are seen, and the device looks as wanted.
func TestWireGuard(t *testing.T) {
	a, b := ends(t)
	b.sync()
	a.up("169.254.0.2")
	st := a.sync()
	if st.State != "up" || st.Peer.LastHandshake.IsZero() || st.Peer.RxBytes == 0 || st.Peer.TxBytes == 0 || st.Actual != 1440 || st.Underlay != "eth0" {
		t.Errorf("%+v", st)
	}
	got := sh(t, "ip -n "+a.name+" -d link show wg0") + sh(t, "ip -n "+a.name+" -o addr show dev wg0")
	for _, want := range []string{"mtu 1440", "alias nvad", "inet 169.254.0.1/30 "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if st.Userspace != strings.Contains(got, "tun type tun") {
		t.Errorf("userspace is %t of\n%s", st.Userspace, got)
	}
}

// Nothing has to be done for a tunnel that is as wanted.
func TestWireGuardStable(t *testing.T) {
	a, b := ends(t)
	b.sync()
	a.up("169.254.0.2")
	again := tunnel.New(recorder{t, a.kernel.Tunnels})
	again.SetWanted([]tunnel.Tunnel{a.wanted})
	if _, err := again.Sync(time.Now()); err != nil {
		t.Fatal(err)
	}
}

// While nvad is away, the device stays with its index, so that routes through it do; the next
// process has packets through it again.
func TestWireGuardRestart(t *testing.T) {
	a, b := ends(t)
	b.sync()
	a.up("169.254.0.2")
	sh(t, "ip -n "+a.name+" route add 10.99.0.0/24 via 169.254.0.2 dev wg0")
	before := index(t, a)
	a.stop()
	if got := sh(t, "ip -n "+a.name+" route show 10.99.0.0/24"); !strings.Contains(got, "dev wg0") {
		t.Errorf("the route went with the process: %q", got)
	}
	a.start()
	a.up("169.254.0.2")
	if after := index(t, a); after != before {
		t.Errorf("another device: index %d, was %d", after, before)
	}
	if r := a.manager.Repairs(); len(r) > 0 {
		t.Errorf("repairs %v", r)
	}
}

func index(t *testing.T, e *wgEnd) int {
	t.Helper()
	for _, l := range e.manager.Links() {
		if l.Name == "wg0" {
			return l.Index
		}
	}
	t.Fatal("no wg0")
	return 0
}

// What iproute2 can do to the device is undone at the next look.
func TestWireGuardHeals(t *testing.T) {
	a, b := ends(t)
	b.sync()
	a.up("169.254.0.2")
	for _, spoil := range []string{
		"link del wg0", "link set wg0 down", "addr flush dev wg0", "link set wg0 mtu 1280", "addr add 10.98.0.1/24 dev wg0", "link set wg0 alias x",
	} {
		sh(t, "ip -n "+a.name+" "+spoil)
		eventually(t, "packets after ip "+spoil, func() bool { a.sync(); return a.reaches("169.254.0.2") })
		if st := a.sync(); st.State != "up" || st.Actual != 1440 || !reflect.DeepEqual(owned(st.Addresses), a.wanted.Addresses) {
			t.Errorf("after ip %s: %+v", spoil, st)
		}
		if r := a.manager.Repairs(); len(r) != 1 && spoil != "link set wg0 alias x" {
			t.Errorf("after ip %s: repairs %v", spoil, r)
		}
	}
}

func owned(list []netip.Prefix) (out []netip.Prefix) {
	for _, p := range list {
		if !p.Addr().IsLinkLocalUnicast() || p.Addr().Is4() {
			out = append(out, p)
		}
	}
	return out
}

// A new key or a peer's wrong key ends the traffic, the right one brings it back. The preshared
// key counts as well.
func TestWireGuardWrongKey(t *testing.T) {
	a, b := ends(t)
	b.sync()
	a.up("169.254.0.2")
	right := *a.wanted.WireGuard
	for name, spoil := range map[string]func(*tunnel.WireGuard){
		"private key":   func(w *tunnel.WireGuard) { w.Private = tunnel.NewPrivate([32]byte{200}) },
		"peer":          func(w *tunnel.WireGuard) { w.Peer.Public = tunnel.NewPrivate([32]byte{208}).Public() },
		"preshared key": func(w *tunnel.WireGuard) { w.Peer.Preshared = tunnel.NewShared([32]byte{1}) },
	} {
		wrong := right
		spoil(&wrong)
		a.want(wrong)
		if name != "preshared key" && a.reaches("169.254.0.2") { // an established session keeps its keys
			t.Errorf("packets get through with another %s", name)
		}
		if st := a.sync(); name == "peer" && (st.Peer.Public != wrong.Peer.Public || !st.Peer.LastHandshake.IsZero()) {
			t.Errorf("%+v", st.Peer)
		}
		a.want(right)
		a.up("169.254.0.2")
	}
}

func (e *wgEnd) want(w tunnel.WireGuard) {
	e.t.Helper()
	e.wanted.WireGuard = &w
	e.manager.SetWanted([]tunnel.Tunnel{e.wanted})
	if st := e.sync(); st.State == "failed" {
		e.t.Fatal(st.Reason)
	}
}

// A peer behind NAT is found by what it sends, and followed to its next address.
func TestWireGuardRoams(t *testing.T) {
	a, b := ends(t)
	w := *b.wanted.WireGuard
	w.Peer.Endpoint = netip.AddrPort{}
	b.want(w)
	a.up("169.254.0.2")
	if st := b.sync(); st.Peer.Endpoint != netip.MustParseAddrPort("10.0.0.4:51820") || st.Actual != 1420 {
		t.Errorf("%+v", st)
	}
	sh(t, "ip -n "+a.name+" addr add 10.0.0.9/24 dev eth0")
	sh(t, "ip -n "+a.name+" addr del 10.0.0.4/24 dev eth0")
	sh(t, "ip -n "+a.name+" addr add 10.0.0.9/24 dev eth0")
	a.up("169.254.0.2")
	if st := b.sync(); st.Peer.Endpoint.Addr() != netip.MustParseAddr("10.0.0.9") {
		t.Errorf("%+v", st.Peer)
	}
}

// A tunnel that is no longer wanted goes, with its TUN device.
func TestWireGuardRemoved(t *testing.T) {
	a, _ := ends(t)
	a.sync()
	a.manager.SetWanted(nil)
	if _, err := a.manager.Sync(time.Now()); err != nil {
		t.Fatal(err)
	}
	if out := sh(t, "ip -n "+a.name+" link"); strings.Contains(out, "wg0") {
		t.Errorf("still there:\n%s", out)
	}
}

// Another program's TUN device keeps its name.
func TestWireGuardForeignTUN(t *testing.T) {
	a, _ := ends(t)
	sh(t, "ip -n "+a.name+" tuntap add wg0 mode tun")
	if st := a.sync(); st.State != "failed" || !strings.Contains(st.Reason, "not nvad's") {
		t.Errorf("%s %s", st.State, st.Reason)
	}
}

// The kernel is told exactly what has to change.
func TestWireConfig(t *testing.T) {
	own, peer, old := tunnel.NewPrivate([32]byte{8}), tunnel.NewPrivate([32]byte{16}).Public(), tunnel.NewPrivate([32]byte{24}).Public()
	at := netip.MustParseAddrPort("[2001:db8::1]:51820")
	want := tunnel.WireGuard{Private: own, Port: 51820, Peer: tunnel.Peer{Public: peer, Endpoint: at, Keepalive: 25 * time.Second}}
	have := tunnel.Device{Mark: 1, Peers: []tunnel.PeerState{{Peer: tunnel.Peer{Public: old}}}}
	got := wireConfig(wireguard.Changes(have, want))
	key, port, keepalive := wgtypes.Key(own.Octets()), 51820, 25*time.Second
	wanted := wgtypes.Config{PrivateKey: &key, ListenPort: &port, FirewallMark: new(int), Peers: []wgtypes.PeerConfig{
		{PublicKey: wgtypes.Key(old), Remove: true},
		{PublicKey: wgtypes.Key(peer), PresharedKey: &wgtypes.Key{}, Endpoint: net.UDPAddrFromAddrPort(at), PersistentKeepaliveInterval: &keepalive,
			ReplaceAllowedIPs: true, AllowedIPs: []net.IPNet{
				{IP: net.IP{0, 0, 0, 0}, Mask: net.CIDRMask(0, 32)}, {IP: make(net.IP, 16), Mask: net.CIDRMask(0, 128)},
			}},
	}}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %+v\nwant %+v", got, wanted)
	}
	state := deviceOf(&wgtypes.Device{PrivateKey: key, ListenPort: port, Peers: []wgtypes.Peer{{
		PublicKey: wgtypes.Key(peer), Endpoint: &net.UDPAddr{IP: net.ParseIP("10.0.0.5"), Port: 7}, PersistentKeepaliveInterval: keepalive,
		AllowedIPs: got.Peers[1].AllowedIPs, LastHandshakeTime: time.Unix(0, 0), ReceiveBytes: 3, TransmitBytes: 4,
	}}})
	wantState := tunnel.Device{Private: own, Port: 51820, Peers: []tunnel.PeerState{{
		Peer: tunnel.Peer{Public: peer, Endpoint: netip.MustParseAddrPort("10.0.0.5:7"), Keepalive: keepalive}, AllowedIPs: tunnel.Everything(), RxBytes: 3, TxBytes: 4,
	}}}
	if !reflect.DeepEqual(state, wantState) {
		t.Errorf("got %+v\nwant %+v", state, wantState)
	}
}

// What a process left that has ended is found and removed by the next one, as nvad flush does.
func TestWireGuardFlushed(t *testing.T) {
	a, _ := ends(t)
	a.sync()
	a.stop()
	a.start()
	if err := tunnel.New(a.kernel.Tunnels).Flush(); err != nil {
		t.Fatal(err)
	}
	if out := sh(t, "ip -n "+a.name+" link"); strings.Contains(out, "wg0") {
		t.Errorf("still there:\n%s", out)
	}
}

// A device that vanishes is made again at once, although WireGuard in this process may not have
// noticed yet that its TUN device is gone.
func TestWireGuardVanishes(t *testing.T) {
	a, b := ends(t)
	b.sync()
	a.sync()
	// Under another name and alias the TUN device lives on, so that its end in this process
	// surely runs.
	for _, command := range []string{"link set wg0 down", "link set wg0 alias x", "link set wg0 name other0"} {
		sh(t, "ip -n "+a.name+" "+command)
	}
	a.up("169.254.0.2")
}

// Junk and forged handshakes by the hundred thousand cost no more memory than the queue of
// handshakes, 1,024 of 64 KiB, and what is being read; the tunnel still works.
func TestWireGuardFlood(t *testing.T) {
	a, b := ends(t)
	b.sync()
	a.up("169.254.0.2")
	most := heap()
	before := most
	err := b.ns.do(func() error {
		c, err := net.Dial("udp", "10.0.0.4:51820")
		if err != nil {
			return err
		}
		defer c.Close()
		packet := make([]byte, 148)
		for i := range 200_000 {
			packet[0] = byte(i%4 + 1) // each type of message
			binary.BigEndian.PutUint32(packet[8:], uint32(i))
			_, _ = c.Write(packet) // which the receiver may refuse
			if i%10_000 == 0 {
				most = max(most, heap())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if grown := most - before; grown > 128<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	a.up("169.254.0.2")
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
