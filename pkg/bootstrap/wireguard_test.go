package bootstrap

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/tunnel"
)

// keyOf returns a public key for a test.
func keyOf(n int) tunnel.Key {
	var octets [32]byte
	octets[1], octets[2] = byte(n), byte(n>>8)+1
	return tunnel.NewPrivate(octets).Public()
}

func TestParsePeer(t *testing.T) {
	k := keyOf(1)
	for text, want := range map[string]Peer{
		"":                    {Public: k},
		"@10.10.0.4":          {Public: k, Host: "10.10.0.4"},
		"@10.10.0.4:4500":     {Public: k, Host: "10.10.0.4", Port: 4500},
		"@2001:db8::1":        {Public: k, Host: "2001:db8::1"},
		"@[2001:db8::1]":      {Public: k, Host: "2001:db8::1"},
		"@[2001:db8::1]:4500": {Public: k, Host: "2001:db8::1", Port: 4500},
		"@hub.example.net":    {Public: k, Host: "hub.example.net"},
		"@hub.example.net:99": {Public: k, Host: "hub.example.net", Port: 99},
	} {
		if got, err := ParsePeer(k.String() + text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "@", "x@10.0.0.4", "10.0.0.4", k.String() + "@", k.String() + "@a:0", k.String() + "@a:x", k.String() + "@:1", k.String()[1:]} {
		if _, err := ParsePeer(text); err == nil || strings.Contains(err.Error(), k.String()[1:20]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestEndsAgree: both ends of a tunnel have the same name and port for it, and each the other's
// address, whatever else they are told.
func TestEndsAgree(t *testing.T) {
	const most = 40
	nvas := make([]Peer, most)
	for i := range nvas {
		nvas[i] = Peer{Public: keyOf(i), Host: fmt.Sprintf("10.%d.0.4", i)}
	}
	reserved := netip.MustParsePrefix("169.254.255.0/24")
	for i, a := range nvas {
		for _, b := range nvas[:i] {
			x, y := linkTo(a.Public, b), linkTo(b.Public, a)
			if x.name() != y.name() || x.Port != y.port() || y.Port != x.port() || x.own != y.far || x.far != y.own || x.own == x.far {
				t.Fatalf("%+v\n%+v", x, y)
			}
			pair, _ := x.own.Prefix(31)
			if !pair.Contains(x.far) || overlay.Contains(x.own) || reserved.Contains(x.own) || x.own.Less(firstPair) || x.port() < 51820 || x.port() > 59883 {
				t.Fatalf("%+v", x)
			}
		}
	}
}

// fileOf renders the file of an NVA with these peers.
func fileOf(t *testing.T, own tunnel.Key, nic string, r Request) string {
	t.Helper()
	r.ASN, r.VNI, r.Identity = 65001, 77, Identity{own, "/var/lib/nvad/wireguard/nva.key"}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	p, err := derive(r, "vm", nicOf(nic), "eth0")
	if err != nil {
		t.Fatal(err)
	}
	text, err := render(p, "nvad.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPeers: three NVAs are given the same list; each has a tunnel to each, and the neighbor in it is
// the other end's address. nvad has nothing to warn of.
func TestPeers(t *testing.T) {
	list := []Peer{{Public: keyOf(1), Host: "10.0.0.4"}, {Public: keyOf(2), Host: "10.10.0.4"}, {Public: keyOf(3)}}
	vnet := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}
	addresses := map[netip.Addr]int{}
	for i := range list {
		text := fileOf(t, keyOf(i+1), fmt.Sprintf("10.%d.0.4", 10*i), Request{Peers: list, VNets: vnet})
		cfg, err := config.Parse("nvad.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if w := config.Warnings(cfg); len(w) > 0 {
			t.Errorf("%v\n%s", w, text)
		}
		if len(cfg.Tunnels) != 2 || len(cfg.Neighbors) != 2 || !strings.Contains(text, keyOf(i+1).String()) {
			t.Fatalf("%d tunnels, %d neighbors\n%s", len(cfg.Tunnels), len(cfg.Neighbors), text)
		}
		for j, tun := range cfg.Tunnels {
			if tun.WireGuard.PrivateKeyFile != "/var/lib/nvad/wireguard/nva.key" || !tun.Addresses[0].Contains(cfg.Neighbors[j].Address) {
				t.Errorf("%+v has the neighbor %v", tun, cfg.Neighbors[j].Address)
			}
			addresses[tun.Addresses[0].Addr()]++
			addresses[cfg.Neighbors[j].Address]--
		}
	}
	for a, n := range addresses {
		if n != 0 {
			t.Errorf("%v is not the address of one end and the neighbor of the other", a)
		}
	}
}

// TestPeersBesideVXLAN: other NVAs may be reached through VXLAN.
func TestPeersBesideVXLAN(t *testing.T) {
	text := fileOf(t, keyOf(1), "10.0.0.4", Request{Peers: []Peer{{Public: keyOf(2), Host: "hub.example.net"}}, Remotes: remotes(t, "10.10.0.4")})
	cfg, err := config.Parse("nvad.toml", []byte(text))
	if err != nil || len(cfg.Tunnels) != 2 || len(cfg.Neighbors) != 2 || len(config.Warnings(cfg)) > 0 {
		t.Errorf("%v %v\n%s", err, config.Warnings(cfg), text)
	}
}

func TestPeersRefused(t *testing.T) {
	own := keyOf(1)
	p := Peer{Public: keyOf(2), Host: "a"}
	if _, err := links(own, []Peer{p, p}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("twice: %v", err)
	}
	numbers := map[uint32]int{}
	for i := 2; ; i++ { // until two have the same number
		l := linkTo(own, Peer{Public: keyOf(i)})
		if first, taken := numbers[l.number]; taken {
			if _, err := links(own, []Peer{{Public: keyOf(first)}, {Public: keyOf(i)}}); err == nil || !strings.Contains(err.Error(), "another key") {
				t.Errorf("clash: %v", err)
			}
			break
		}
		numbers[l.number] = i
	}
	var many []Peer
	for i := range maxNVAs + 60 {
		if l := linkTo(own, Peer{Public: keyOf(i + 2)}); numbers[l.number] != -1 {
			numbers[l.number] = -1
			many = append(many, l.Peer)
		}
	}
	if _, err := derive(Request{Peers: many, Identity: Identity{Public: own}}, "vm", nicOf("10.0.0.4"), "eth0"); err == nil || !strings.Contains(err.Error(), "hierarchy") {
		t.Errorf("%d peers: %v", len(many), err)
	}
}
