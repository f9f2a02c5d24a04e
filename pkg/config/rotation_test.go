package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/tunnel"
)

// rotating has two WireGuard tunnels, one with a neighbor of its own in two families and one in a
// peer-group.
const rotating = `asn = 65001
router-id = "10.0.0.4"
[health]
tunnels = ["wg0"]
[[tunnel]]
name = "wg0"
type = "wireguard"
public-key = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
endpoint = "hub10.example:51820"
mss-clamp = 1300
address = ["169.254.0.1/30", "fd00:0:0:1::1/64"]
[[tunnel]]
name = "site"
type = "wireguard"
listen-port = 51821
public-key = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
address = "169.254.0.5/30"
[[neighbor]]
address = "169.254.0.2"
remote-asn = 65001
next-hop-self = true
[[neighbor]]
address = "fd00:0:0:1::2"
remote-asn = 65001
local-address = "fd00:0:0:1::1"
[peer-group.site]
neighbors = ["169.254.0.6"]
remote-asn = 65050
import = "accept"
export = "accept"
`

func parsed(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := Parse("nvad.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func newKey() tunnel.Key { return tunnel.NewPrivate([32]byte{7}).Public() }

// TestRotate: the successor has the next free port and subnets, and everything else is as it was.
// Its file is valid, and without the old tunnel too.
func TestRotate(t *testing.T) {
	cfg := parsed(t, rotating)
	next, err := cfg.Rotate("wg0", NewEnd{Key: newKey(), Port: 51830})
	if err != nil {
		t.Fatal(err)
	}
	want := `[[tunnel]]
type = "wireguard"
name = "wg0k2"
public-key = "` + newKey().String() + `"
endpoint = "hub10.example:51830"
listen-port = 51822
mss-clamp = 1300
address = ["169.254.0.9/30", "fd00:0:0:2::1/64"]

[[neighbor]]
address = "169.254.0.10"
remote-asn = 65001
next-hop-self = true

[[neighbor]]
address = "fd00:0:0:2::2"
remote-asn = 65001
local-address = "fd00:0:0:2::1"`
	if got := strings.Join(next.Sections(cfg), "\n\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	both := parsed(t, string(Print(next, false)))
	rest := parsed(t, string(Print(both.Without("wg0"), false)))
	if rest.HasTunnel("wg0") || len(rest.Neighbors) != 3 || rest.Health.Tunnels[0] != "wg0k2" {
		t.Errorf("afterwards %s", Print(rest, false))
	}
	if len(cfg.Tunnels) != 2 || len(cfg.Neighbors) != 3 || cfg.Health.Tunnels[0] != "wg0" {
		t.Errorf("the configuration itself has changed: %s", Print(cfg, false))
	}
}

// TestRotateEnds: whoever called first before does so again, and the two ends agree on the subnet.
func TestRotateEnds(t *testing.T) {
	cfg := parsed(t, rotating)
	next, err := cfg.Rotate("site", NewEnd{Key: newKey(), Subnets: []netip.Prefix{netip.MustParsePrefix("169.254.9.0/30")}})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(next.Sections(cfg), "\n")
	for _, part := range []string{`name = "sitek2"`, `listen-port = 51822`, `address = "169.254.9.1/30"`, "address = \"169.254.9.2\"\npeer-group = \"site\""} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is missing in\n%s", part, got)
		}
	}
	rest := parsed(t, string(Print(next.Without("site"), false)))
	if got := string(Print(rest, false)); strings.Contains(got, "169.254.0.6") || !strings.Contains(got, "169.254.9.2") {
		t.Errorf("afterwards\n%s", got)
	}
	if strings.Contains(got, "endpoint") {
		t.Errorf("a peer behind NAT has an endpoint:\n%s", got)
	}
}

func TestSuccessor(t *testing.T) {
	for name, want := range map[string]string{"wg0": "wg0k2", "wg0k2": "wg0k3", "wg0k9": "wg0k10", "k2": "k2k2", "wgk0": "wgk0k2"} {
		if got := Successor(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestRotateRefused: what BGP can't move without loss is refused, with the reason.
func TestRotateRefused(t *testing.T) {
	base := rotating
	for name, c := range map[string]struct {
		tunnel, text, want string
		end                NewEnd
	}{
		"none":       {"wg7", base, "no tunnel \"wg7\" is configured", NewEnd{}},
		"vxlan":      {"vx", base + "[[tunnel]]\nname = \"vx\"\nvni = 7\ndevice = \"eth0\"\nremotes = [\"10.0.0.9\"]\n", "no WireGuard tunnel", NewEnd{}},
		"inside":     {"wg0", base + "[[tunnel]]\nname = \"vx\"\nvni = 7\ndevice = \"wg0\"\nremotes = [\"169.254.0.2\"]\n", "tunnel vx runs inside wg0", NewEnd{}},
		"static":     {"wg0", base + "[[static-route]]\nprefix = \"10.9.0.0/16\"\nvia = \"169.254.0.2\"\n", "static route 10.9.0.0/16 leads through wg0", NewEnd{}},
		"no session": {"site", strings.Replace(base, `neighbors = ["169.254.0.6"]`, `neighbors = ["10.0.0.9"]`, 1), "no neighbor is in site", NewEnd{}},
		"long":       {"a23456789012345", strings.Replace(base, `"site"`, `"a23456789012345"`, 1), "at most 15", NewEnd{}},
		"size":       {"site", base, "another size", NewEnd{Subnets: []netip.Prefix{netip.MustParsePrefix("169.254.9.0/29")}}},
		"count":      {"wg0", base, "has 2 subnets", NewEnd{Subnets: []netip.Prefix{netip.MustParsePrefix("169.254.9.0/30")}}},
		"overlap":    {"site", base, "overlaps tunnel wg0", NewEnd{Subnets: []netip.Prefix{netip.MustParsePrefix("169.254.0.0/30")}}},
	} {
		if _, err := parsed(t, c.text).Rotate(c.tunnel, c.end); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
