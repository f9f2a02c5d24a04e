package twohubs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/integration/lab"
)

// TestWireGuard: the two hubs with an encrypted tunnel. The far end is nvad, or what Debian 12
// has: wireguard-go, wg and BIRD.
func TestWireGuard(t *testing.T) {
	beyond := far
	for _, kind := range []lab.Kind{lab.Nvad, lab.BIRD} {
		t.Run("nvad+"+string(kind), func(t *testing.T) {
			t.Parallel()
			l := upWireGuard(t, kind)
			converge(t, l)
			if kind == lab.Nvad {
				t.Run("show", func(t *testing.T) { testShow(t, l) })
			}
			t.Run("no loss", func(t *testing.T) { testNoLoss(t, l) })
			t.Run("traceroute", func(t *testing.T) { testTraceroute(t, l) })
			t.Run("advertised", func(t *testing.T) { testAdvertised(t, l, near, beyond) })
			t.Run("nothing in the clear", func(t *testing.T) { testNothingInTheClear(t, l) })
			t.Run("shown", func(t *testing.T) { testTunnelShown(t, l) })
			t.Run("strangers", func(t *testing.T) { testStrangers(t, l) })
			t.Run("restart", func(t *testing.T) { testEncryptedRestart(t, l) })
			t.Run("healed", func(t *testing.T) { testEncryptedHealed(t, l) })
		})
	}
}

func upWireGuard(t *testing.T, far lab.Kind) *lab.Lab {
	t.Helper()
	lab.RequireRoot(t)
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	hub10 := lab.NVA{Kind: far}
	if far == lab.Nvad {
		hub10 = lab.NVA{Kind: far, Binary: lab.Build(t, "./cmd/nvad"), Config: filepath.Join(root, "configs", "hub10-wireguard.toml")}
	} else {
		lab.RequireCommands(t, "wireguard-go", "wg", "unshare")
		hub10.Config = filepath.Join(root, "integration/lab/testdata/two-hubs/vm-hub10.bird.conf")
	}
	return lab.Up(t, lab.Options{Scenario: "two-hubs-wireguard", NVAs: map[string]lab.NVA{
		"hub00": {Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: filepath.Join(root, "configs", "hub00-wireguard.toml")},
		"hub10": hub10,
	}})
}

// testShow runs the commands that `make lab` shows.
func testShow(t *testing.T, l *lab.Lab) {
	lab.Build(t, "./cmd/nvactl") // which they run
	var text strings.Builder
	err := l.Show(t.Context(), &text)
	t.Log(text.String())
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{"Tunnel wg0, WireGuard", "via 169.254.0.2 dev wg0"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// marker is in every packet of the test's traffic.
const marker = "readable by nobody in between"

// testNothingInTheClear captures every octet between the hubs while traffic, BGP and handshakes
// pass. Only WireGuard's packets cross, and no inner packet nor its content is in them.
func testNothingInTheClear(t *testing.T, l *lab.Lab) {
	const count = 10
	traffic := func() {
		out := l.Exec(t, "vm-hub100", "ping", "-q", "-c", fmt.Sprint(count), "-i", "0.02", "-W", "1", "-s", "256", "-p", fmt.Sprintf("%x", marker[:16]), vm110)
		// A busy machine loses one now and then, which says nothing about what is readable.
		if strings.Contains(out, " 100% packet loss") {
			t.Errorf("while capturing:\n%s", out)
		}
	}
	if !bytes.Contains(bytes.Join(octets(t, l, "vm-hub00", "wg0", traffic), nil), []byte(marker[:16])) {
		t.Fatal("the marker is not even inside the tunnel: this test could not fail")
	}
	encrypted := 0
	for _, packet := range octets(t, l, "net-hub00", "peer-hub10", traffic) {
		f, ok := parseEthernet(packet)
		if !ok || !f.between(near.address, far.address) {
			t.Errorf("in the clear between the hubs: %s", f)
			continue
		}
		if packet[14+9] != unix.IPPROTO_UDP || packet[14+20] != 51820>>8 || packet[14+21] != 51820&0xff {
			t.Errorf("not WireGuard: %s", f)
			continue
		}
		encrypted++
		if bytes.Contains(packet, []byte(marker[:16])) {
			t.Errorf("%q is readable in %x", marker, packet)
		}
	}
	if encrypted < count {
		t.Errorf("%d packets in the tunnel, want at least %d", encrypted, count)
	}
}

// shown has nvactl's answer about a tunnel.
type shown struct {
	State, Reason string
	MTU           int
	Wireguard     struct {
		PublicKey     string `json:"public_key"`
		Endpoint      string
		LastHandshake *time.Time `json:"last_handshake"`
		RxBytes       int        `json:"rx_bytes"`
		Userspace     bool
	}
}

func tunnelOf(t *testing.T, l *lab.Lab, nva string) (s shown) {
	t.Helper()
	out, err := exec.Command(lab.Build(t, "./cmd/nvactl"), "--socket", l.NVASocket(nva), "tunnels", "wg0", "-o", "json").Output()
	if err != nil {
		return s // it has just been started
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	return s
}

func testTunnelShown(t *testing.T, l *lab.Lab) {
	s := tunnelOf(t, l, "hub00")
	w := s.Wireguard
	if s.State != "up" || s.MTU != 1440 || w.Endpoint != "10.10.0.4:51820" || w.LastHandshake == nil || w.RxBytes == 0 ||
		w.PublicKey != "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=" {
		t.Errorf("%+v", s)
	}
	for _, word := range []string{"dwdtCnMYpX08", "XasIfmJKikt5"} { // how the private keys begin
		if strings.Contains(l.NVALog("hub00"), word) {
			t.Error("a private key is in the log")
		}
	}
}

// testStrangers: neither garbage nor replayed packets from another address change anything.
func testStrangers(t *testing.T, l *lab.Lab) {
	var packets [][]byte
	for _, p := range octets(t, l, "net-hub00", "peer-hub10", func() { testNoLoss(t, l) }) {
		if f, ok := parseEthernet(p); ok && f.dst == near.address {
			packets = append(packets, p[14+20+8:])
		}
	}
	for size := range 200 {
		packets = append(packets, bytes.Repeat([]byte{byte(size), 1, 2, 4}, size+1))
	}
	before := tunnelOf(t, l, "hub00")
	// In portions, each until a ping has followed it: a burst of all would fill the queues of
	// the machine that the tests run on, and lose packets of others.
	for some := range slices.Chunk(packets, 50) {
		if err := l.Within("vm-hub00-b", func() error { return sendAll(near.address, some) }); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, 10*time.Second, func() error { return ping(l, "vm-hub00-b", near.address.String()) })
	}
	testNoLoss(t, l)
	if after := tunnelOf(t, l, "hub00"); after.Wireguard.Endpoint != before.Wireguard.Endpoint || after.State != "up" {
		t.Errorf("after %d packets of a stranger %+v, before %+v", len(packets), after, before)
	}
}

// sendAll sends packets to WireGuard's port.
func sendAll(to netip.Addr, packets [][]byte) error {
	c, err := net.Dial("udp", netip.AddrPortFrom(to, 51820).String())
	if err != nil {
		return err
	}
	defer c.Close()
	for _, p := range packets {
		if _, err := c.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// testEncryptedRestart: nvad restarts. Where it encrypts itself, nobody does meanwhile, so nothing
// gets through, and afterwards packets pass at once.
func testEncryptedRestart(t *testing.T, l *lab.Lab) {
	if err := l.StopNVA("hub00"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := l.StartNVA("hub00"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 20*time.Second, func() error { return ping(l, "vm-hub100", vm110) })
	t.Logf("the first packet got through %v after the start", time.Since(begin).Round(time.Millisecond))
	converge(t, l)
}

// testEncryptedHealed: what iproute2 takes away is back within a second, and traffic with it.
func testEncryptedHealed(t *testing.T, l *lab.Lab) {
	for _, spoil := range []string{"link del wg0", "addr del 169.254.0.1/30 dev wg0", "link set wg0 down"} {
		l.Exec(t, "vm-hub00", append([]string{"ip"}, strings.Fields(spoil)...)...)
		lab.Eventually(t, 2*time.Second, func() error {
			if s := tunnelOf(t, l, "hub00"); s.State != "up" || s.MTU != 1440 {
				return fmt.Errorf("after ip %s: %+v", spoil, s)
			}
			return nil
		})
		lab.Eventually(t, 20*time.Second, func() error { return ping(l, "vm-hub100", vm110) })
		converge(t, l)
	}
}
