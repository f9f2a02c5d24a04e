package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/tunnel"
)

// The DNS can't lead a tunnel into itself or into another one, nor to what is no host.
func TestHostileAnswersOfTheDNS(t *testing.T) {
	const other = `
[[tunnel]]
name = "wg9"
type = "wireguard"
public-key = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
listen-port = 9
address = ["169.254.9.1/30", "fd00:9::1/64"]
`
	for _, answer := range []string{
		"127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:127.0.0.1", "fe80::1%eth0",
		"169.254.0.1", "169.254.0.2", "::ffff:169.254.0.2", "169.254.9.2", "fd00:9::2",
	} {
		b := newWGBed(t, wireguardFile+other)
		b.dns["hub10.example.net"] = addrs(answer)
		b.look(t.Context(), time.Now())
		if b.endpoint().IsValid() || b.wanted.NAT.Overlays[0].Under != "" {
			t.Errorf("%s: the endpoint is %s, within %q", answer, b.endpoint(), b.wanted.NAT.Overlays[0].Under)
		}
		if got := b.reason(tunnel.Status{Tunnel: tunnel.Tunnel{Name: "wg0"}}); !strings.Contains(got, netip.MustParseAddr(answer).Unmap().String()) {
			t.Errorf("%s: the reason is %q", answer, got)
		}
		b.dns["hub10.example.net"] = addrs(answer, "192.0.2.1")
		b.look(t.Context(), time.Now().Add(time.Hour))
		if b.endpoint().Addr() != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("%s: the good address beside it is not taken: %s", answer, b.endpoint())
		}
	}
}

// While the DNS does not answer, nvad notices where peers are, and a name with an answer does
// not wait for a hundred without.
func TestDNSWithoutAnswer(t *testing.T) {
	var file strings.Builder
	file.WriteString(wireguardFile)
	for i := range 100 {
		key := tunnel.NewPrivate([32]byte{8, byte(i + 1)}).Public()
		fmt.Fprintf(&file, "[[tunnel]]\nname = \"dead%d\"\ntype = \"wireguard\"\npublic-key = \"%s\"\nlisten-port = %d\nendpoint = \"dead%d.example.net:9\"\n", i, key, 1000+i, i)
	}
	b := newWGBed(t, file.String())
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var asked, most atomic.Int64
		b.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			most.Store(max(most.Load(), asked.Add(1)))
			defer asked.Add(-1)
			if host == "hub10.example.net" {
				return addrs("192.0.2.1"), nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		call := netip.MustParseAddrPort("198.51.100.7:4242")
		calling := tunnel.Status{Tunnel: tunnel.Tunnel{Name: "wg0", WireGuard: &tunnel.WireGuard{}}, Peer: tunnel.PeerState{Peer: tunnel.Peer{Endpoint: call}}}
		begin := time.Now()
		b.seen = func() []tunnel.Status {
			if time.Since(begin) < 3*time.Second {
				return nil
			}
			return []tunnel.Status{calling}
		}
		go func() { _ = b.run(ctx) }()
		time.Sleep(4500 * time.Millisecond)
		b.mu.Lock()
		if b.calls["wg0"].peer != call.Addr() {
			t.Errorf("where the peer calls from is not protected: %v", b.calls)
		}
		b.mu.Unlock()
		time.Sleep(100*lookupTime/lookups + 5*time.Second)
		b.mu.Lock()
		if !b.endpoint().IsValid() {
			t.Error("the name with an answer is not found")
		}
		b.mu.Unlock()
		if n := most.Load(); n > lookups {
			t.Errorf("%d look-ups at the same time", n)
		}
		cancel()
		synctest.Wait()
	})
}

// While the name of a pinned peer does not resolve, whoever has its key can't call from anywhere.
func TestPinnedWithoutAddress(t *testing.T) {
	b := newWGBed(t, wireguardFile)
	if o := b.wanted.NAT.Overlays[0]; !o.Pinned.IsUnspecified() || o.Port != 51820 {
		t.Errorf("pinned to %s at port %d", o.Pinned, o.Port)
	}
	b.dns["hub10.example.net"] = addrs("192.0.2.1")
	b.look(t.Context(), time.Now())
	if o := b.wanted.NAT.Overlays[0]; o.Pinned != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("pinned to %s", o.Pinned)
	}
}

// A tunnel that listens at any port is guarded at the one that it has got: its own peer could
// otherwise draw it into itself.
func TestAnyPortIsGuarded(t *testing.T) {
	b := newWGBed(t, strings.Replace(wireguardFile, "roaming = false", "listen-port = 0", 1))
	if got := b.wanted.NAT.Overlays[0].Port; got != 0 {
		t.Fatalf("port %d before there is a device", got)
	}
	b.status = []tunnel.Status{{Tunnel: tunnel.Tunnel{Name: "wg0", WireGuard: &tunnel.WireGuard{}, Port: 40123}}}
	b.notice(time.Now())
	if got := b.wanted.NAT.Overlays[0].Port; got != 40123 || b.wanted.Tunnels[0].WireGuard.Port != 0 {
		t.Errorf("port %d is guarded, and %d wanted", got, b.wanted.Tunnels[0].WireGuard.Port)
	}
}

// A peer that is at another port each second does not keep the disk busy.
func TestRestlessPeer(t *testing.T) {
	b := newWGBed(t, wireguardFile)
	path := filepath.Join(b.state, keysDirectory, placesFile)
	writes, last, now := 0, "", time.Now()
	for i := range 600 {
		call := netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), uint16(1000+i))
		b.status = []tunnel.Status{{Tunnel: tunnel.Tunnel{Name: "wg0", WireGuard: &tunnel.WireGuard{}}, Peer: tunnel.PeerState{Peer: tunnel.Peer{Endpoint: call}}}}
		b.notice(now.Add(time.Duration(i) * time.Second))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != last {
			writes, last = writes+1, string(text)
		}
	}
	if writes > 10 {
		t.Errorf("%d writes in 10 minutes", writes)
	}
	if b.applied > 2 {
		t.Errorf("handed over %d times, although its address is the same", b.applied)
	}
}
