package frrconf

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/config"
)

// Keys of the tests; the private one is in no output.
const (
	wgPrivate = "aPxGwq8zERHQ3Q1cOZFdJ+cvJX5Ka4mLN38AyYKYF10="
	wgShared  = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE="
	wgFirst   = "L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="
	wgSecond  = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
)

// wgFiles are the usual layouts of files of wg-quick, and the lines of each that need a decision.
var wgFiles = []struct {
	name, text string
	remains    []string // "LINE: part of the reason"
}{
	// A client that sends everything to a VPN provider.
	{"client", `[Interface]
PrivateKey = ` + wgPrivate + `
Address = 10.64.0.7/32,fc00:bbbb:bbbb:bb01::7/128
DNS = 10.64.0.1

[Peer]
PublicKey = ` + wgFirst + `
AllowedIPs = 0.0.0.0/0,::0/0
Endpoint = vpn.example.net:51820
`, []string{"2: /etc/nvad/client.key", "4: resolver", "8: default route"}},

	// Two sites: a subnet between them, the networks behind the other one, and forwarding.
	{"site", `# to the other office
[Interface]
Address    = 10.9.0.1/30
ListenPort = 51820 # opened in the firewall
PrivateKey = ` + wgPrivate + `
MTU        = 1380
PostUp     = sysctl -w net.ipv4.ip_forward=1
PostUp     = ip route add 172.20.0.0/16 dev %i
PostUp     = iptables -A FORWARD -i %i -j ACCEPT; iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
PostDown   = iptables -D FORWARD -i %i -j ACCEPT
SaveConfig = false

[Peer]
PublicKey           = ` + wgFirst + `
PresharedKey        = ` + wgShared + `
Endpoint            = 198.51.100.7:51820
AllowedIPs          = 10.9.0.0/30, 192.168.20.0/24
AllowedIPs          = 2001:db8:20::/48
PersistentKeepalive = 15
`, []string{"5: /etc/nvad/site.key", "9: iptables", "15: /etc/nvad/site.psk"}},

	// A server with road warriors.
	{"server", `[Interface]
Address = 10.8.0.1/24
ListenPort = 51820
PrivateKey = ` + wgPrivate + `

# laptop
[Peer]
PublicKey = ` + wgFirst + `
AllowedIPs = 10.8.0.2/32

# office, whose address is fixed
[Peer]
PublicKey = ` + wgSecond + `
AllowedIPs = 10.8.0.3/32, 10.30.0.0/16
Endpoint = [2001:db8::9]:51820
PersistentKeepalive = off
`, []string{"4: /etc/nvad/server.key", "12: port 51821", "16: keepalives"}},

	// Routes by another program, and keys that other forks have.
	{"routed", `[interface]
privatekey=` + wgPrivate + `
address=169.254.7.1/31
listenport=0
table=off
fwmark=0x0
Jc = 4
[peer]
publickey=` + wgFirst + `
allowedips=0.0.0.0/0
endpoint=hub.example.net:4500
`, []string{"2: /etc/nvad/routed.key", "7: no such setting"}},

	// A table of its own, with marks.
	{"table", `[Interface]
PrivateKey = ` + wgPrivate + `
Address = 10.7.0.2
Table = 1234
FwMark = 0xca6c
PreUp = ip rule add from 10.7.0.2 table 1234
[Peer]
PublicKey = ` + wgFirst + `
Endpoint = 192.0.2.1:51820
AllowedIPs = 10.0.0.0/8
`, []string{"2: /etc/nvad/table.key", "4: table of their own", "5: mark", "6: this ip command"}},
}

func TestWGQuick(t *testing.T) {
	for _, tt := range wgFiles {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{WGQuick: []File{{tt.name + ".conf", []byte(tt.text)}}}
			accounted(t, in)
			cfg, left, err := Convert(in)
			if err != nil {
				t.Fatal(err)
			}
			got := rendered(t, cfg, left)
			compare(t, filepath.Join("testdata", "wg-"+tt.name+".toml"), got)
			reread(t, cfg, got)
			var remains []Leftover
			for _, l := range left {
				if l.Kind != NoMeaning && l.File != "" {
					remains = append(remains, l)
				}
			}
			for i, want := range tt.remains {
				number, reason, _ := strings.Cut(want, ": ")
				if i >= len(remains) || fmt.Sprint(remains[i].Line) != number || !strings.Contains(remains[i].Reason, reason) {
					t.Fatalf("want %q as number %d of\n%s", want, i, text(remains))
				}
			}
			if len(remains) != len(tt.remains) {
				t.Errorf("want %d leftovers with a meaning, got\n%s", len(tt.remains), text(remains))
			}
			noSecrets(t, string(got)+text(left))
		})
	}
}

func noSecrets(t *testing.T, out string) {
	t.Helper()
	for _, secret := range []string{wgPrivate, wgShared, wgPrivate[:40], wgShared[:40]} {
		if strings.Contains(out, secret) {
			t.Errorf("a key was printed:\n%s", out)
		}
	}
}

// TestWGQuickHidesKeys: a key appears in no message, however its line is wrong.
func TestWGQuickHidesKeys(t *testing.T) {
	for _, line := range []string{
		"PrivateKey " + wgPrivate, "PrivatKey = " + wgPrivate, "private key = " + wgPrivate, "PrivateKey: " + wgPrivate, wgPrivate,
		"PublicKey = " + wgPrivate + "x", "PostUp = wg set %i private-key " + wgPrivate, "ListenPort = " + wgPrivate, "Address = " + wgPrivate,
		"Endpoint = " + wgPrivate, "AllowedIPs = " + wgPrivate, "MTU = " + wgPrivate, "PersistentKeepalive = " + wgPrivate, "Table = " + wgPrivate,
		"PrivateKey = " + wgPrivate[:41], "[" + wgPrivate + "]", "PresharedKey = short", "PrivateKey = short",
	} {
		for _, section := range []string{"[Interface]\n", "[Peer]\n", ""} {
			in := Input{WGQuick: []File{{"wg0.conf", []byte(section + line + "\n")}}}
			accounted(t, in)
			cfg, left, err := Convert(in)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := Render(cfg, left)
			if noSecrets(t, string(got)+text(left)); strings.Contains(string(got), "short") {
				t.Errorf("a key was printed:\n%s", got)
			}
		}
	}
}

// TestWGQuickRefused: what nvad can't use is an error, and not a tunnel that never works.
func TestWGQuickRefused(t *testing.T) {
	const head = "[Interface]\nPrivateKey = " + wgPrivate + "\nAddress = 10.9.0.1/30\n"
	for text, want := range map[string]string{
		head + "[Peer]\nAllowedIPs = 10.0.0.0/8\nEndpoint = 192.0.2.1:1\n":            "public-key",
		head + "[Peer]\nPublicKey = x\nEndpoint = 192.0.2.1:1\n":                      "public-key",
		head + "[Peer]\nPublicKey = " + wgFirst + "\n":                                "neither end could call",
		head + "[Peer]\nPublicKey = " + wgFirst + "\nEndpoint = 192.0.2.1\n":          "neither end could call",
		head + "[Peer]\nPublicKey = " + wgFirst + "\nEndpoint = 10.9.0.2:1\n":         "underlay address",
		head + strings.Repeat("[Peer]\nPublicKey = "+wgFirst+"\nEndpoint = a:1\n", 2): "same peer",
		head + "[Peer]\nPublicKey = " + wgFirst + "\nEndpoint = a b:1\n":              "a DNS name with a port",
	} {
		cfg, left, err := Convert(Input{WGQuick: []File{{"wg0.conf", []byte(text)}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Render(cfg, left); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %q", text, err, want)
		}
	}
}

// TestWGQuickWithFRR: FRR's neighbors in the tunnel, and several devices, are converted at once.
func TestWGQuickWithFRR(t *testing.T) {
	in := Input{
		FRR: []byte(bgpHead + "neighbor 10.9.0.2 remote-as 65002\n"), FRRVersion: "8.4",
		WGQuick: []File{{"/etc/wireguard/site.conf", []byte(wgFiles[1].text)}, {"/dev/stdin", []byte(wgFiles[3].text)}},
	}
	accounted(t, in)
	cfg, left, err := Convert(in)
	if err != nil {
		t.Fatal(err)
	}
	in.WGQuick[1].Data = []byte(strings.ReplaceAll(wgFiles[3].text, wgFirst, wgSecond))
	if cfg, left, err = Convert(in); err != nil {
		t.Fatal(err)
	}
	reread(t, cfg, rendered(t, cfg, left))
	var names []string
	for _, tun := range cfg.Tunnels {
		names = append(names, tun.Name)
	}
	if diff := cmp.Diff([]string{"site", "wg0"}, names); diff != "" || len(cfg.Neighbors) == 0 {
		t.Errorf("%d neighbors, tunnels (-want +got)\n%s", len(cfg.Neighbors), diff)
	}
	if n := len(cfg.Statics); n != 3 {
		t.Errorf("%d static routes, want 3: %+v", n, cfg.Statics)
	}
}

// TestWGQuickManyPeers: names and ports stay valid for as many peers as somebody lists.
func TestWGQuickManyPeers(t *testing.T) {
	var b strings.Builder
	b.WriteString("[Interface]\nListenPort = 65534\n")
	for i := range 120 {
		k := config.WireGuard{}.PublicKey
		k[0], k[1] = byte(i), 1
		fmt.Fprintf(&b, "[Peer]\nPublicKey = %s\nEndpoint = a:1\n", k)
	}
	cfg, left, err := Convert(Input{WGQuick: []File{{"averylongname15.conf", []byte(b.String())}}})
	if err != nil {
		t.Fatal(err)
	}
	reread(t, cfg, rendered(t, cfg, left))
	if first, last := cfg.Tunnels[0], cfg.Tunnels[119]; len(cfg.Tunnels) != 120 || first.Name != "averylongname-1" || last.Name != "averylongna-120" ||
		cfg.Tunnels[1].WireGuard.ListenPort != 65535 || last.WireGuard.ListenPort != 0 {
		t.Errorf("%d tunnels, from %+v to %+v", len(cfg.Tunnels), first, last)
	}
}

// FuzzWGQuick checks that no file causes a panic, that every line is accounted for, and that nvad
// reads what is printed without an error as what was meant.
func FuzzWGQuick(f *testing.F) {
	for _, tt := range wgFiles {
		f.Add(tt.name+".conf", []byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		agrees(t, Input{WGQuick: []File{{name, data}}})
	})
}
