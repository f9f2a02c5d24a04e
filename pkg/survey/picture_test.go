package survey

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/drawing"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

var noon = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// hubNVA returns an NVA of a hub with two Route Server instances and tunnels to remotes.
func hubNVA(hub string, address string, asn uint32, remotes map[string]string) *NVA {
	n := Unknown()
	n.Host, n.Version, n.ASN, n.RouterID, n.InSync, n.Prefixes, n.FIBWanted, n.Installed = "vm", "v1.2.3", asn, address, true, 42, 42, 42
	n.VNets = []string{hub + ".0.0/16"}
	n.Links = []Link{{Name: "lo", Up: true, Addresses: []string{"127.0.0.1/8"}}, {Name: "eth0", Up: true, MTU: 1500, Addresses: []string{address + "/24"}}}
	n.Behind = []Behind{
		{"vnet", "VNets", []string{hub + ".0.0/16", "10.100.0.0/16", "10.101.0.0/16"}, 5},
		{"expressroute", "AS 65020", []string{"192.168.0.0/16"}, 1},
	}
	for _, i := range []string{".210.4", ".210.5"} {
		n.Neighbors = append(n.Neighbors, Neighbor{Address: hub + i, ASN: 65515, LocalASN: asn, Domain: "ars-" + hub, RouteServer: true,
			State: "Established", Up: true, Received: 12, Accepted: 12, Advertised: 8})
	}
	for name, remote := range remotes {
		n.Tunnels = append(n.Tunnels, Tunnel{Name: name, Kind: "vxlan", VNI: 77, State: "up", Up: true, Local: address, Remotes: []string{remote}, Device: "eth0",
			MTU: 1450, Peers: []Peer{{Remote: remote, Neighbor: "169.254.0.2", Up: true, By: "bfd"}}})
		n.Neighbors = append(n.Neighbors, Neighbor{Address: "169.254.0.2", ASN: 65001, LocalASN: asn, State: "Established", Up: true, Received: 5, Accepted: 5, Advertised: 7, Tunnel: name})
	}
	return n
}

// TestPicture draws two hubs on a good and on a bad day, for a wide and for a narrow screen.
func TestPicture(t *testing.T) {
	a := Member{Name: "vm-hub00", State: hubNVA("10.0", "10.0.0.4", 65001, map[string]string{"vxlan0": "10.10.0.4"})}
	b := Member{Name: "vm-hub10", State: hubNVA("10.10", "10.10.0.4", 65002, map[string]string{"vxlan0": "10.0.0.4"})}
	pair := Member{Name: "vm-hub00-b", State: hubNVA("10.0", "10.0.0.5", 65001, map[string]string{"wg0": "203.0.113.9"})}
	pair.State.Tunnels[0].Kind, pair.State.Tunnels[0].VNI = "wireguard", 0
	pair.State.Neighbors[1].Up, pair.State.Neighbors[1].State = false, "Active"
	down := Member{Name: "vm-hub10", State: hubNVA("10.10", "10.10.0.4", 65002, map[string]string{"vxlan0": "10.0.0.4"})}
	down.State.Tunnels[0].Up, down.State.Tunnels[0].State, down.State.Tunnels[0].Reason = false, "down", "no far end answers"
	down.State.Neighbors[2].Up, down.State.Neighbors[2].State = false, "Idle"
	down.State.Draining = &Drain{Reason: "alice"}
	pair.State.Problems = []Problem{{Severity: "problem"}, {Severity: "warning"}}
	lost := Member{Name: "vm-hub20", State: Unknown(), Error: "nvad is not running (nobody answers on /run/nvad/nvad.sock)"}
	for name, c := range map[string]struct {
		members []Member
		width   int
		page    bool
	}{
		"one":          {[]Member{a}, 800, false},
		"two":          {[]Member{a, b}, 1100, false},
		"two-narrow":   {[]Member{a, b}, 360, true},
		"three-wall":   {[]Member{a, pair, down, lost}, 1900, false},
		"three-narrow": {[]Member{a, pair, down, lost}, 360, false},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".svg", drawing.Draw(Picture(c.members, noon), drawing.Options{Width: c.width, Page: c.page}))
		})
	}
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}
