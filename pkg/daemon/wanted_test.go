package daemon

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/nat"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// natFile has every kind of rule.
const natFile = `
asn = 65001
router-id = "10.0.0.4"
[[tunnel]]
name = "vxlan0"
vni = 1
device = "eth0"
remotes = ["10.10.0.4", "10.10.0.5"]
address = "169.254.0.1/24"
peers = ["10.10.0.5=169.254.0.3"]
[[tunnel]]
name = "vxlan1"
vni = 2
local = "169.254.0.1"
remotes = ["10.10.0.4"]
mss-clamp = 1350
[[tunnel]]
name = "vxlan2"
vni = 3
device = "eth0"
remotes = ["10.10.0.4"]
mss-clamp = "off"
[[masquerade]]
out = "bond0"
except-destinations = ["10.0.0.0/8"]
except-sources = ["192.168.0.1/32"]
[[snat]]
source = "10.1.0.0/16"
out = "eth0"
to = "10.0.0.4:1024-2047"
[[dnat]]
in = "eth0"
destination = "10.0.0.4"
protocol = "udp"
port = 53
to = "10.1.0.4:5353"
`

var natWant = nat.Rules{
	Masquerades: []nat.Masquerade{{
		Out: "bond0", Source: netip.MustParsePrefix("0.0.0.0/0"),
		ExceptDestinations: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		ExceptSources:      []netip.Prefix{netip.MustParsePrefix("192.168.0.1/32")},
	}},
	SNATs: []nat.SNAT{{
		Source: netip.MustParsePrefix("10.1.0.0/16"), Out: "eth0",
		To: nat.Endpoint{Addr: netip.MustParseAddr("10.0.0.4"), Ports: nat.Ports{Low: 1024, High: 2047}},
	}},
	DNATs: []nat.DNAT{{
		In: "eth0", Destination: netip.MustParseAddr("10.0.0.4"), Protocol: nat.UDP, Ports: nat.Ports{Low: 53, High: 53},
		To: nat.Endpoint{Addr: netip.MustParseAddr("10.1.0.4"), Ports: nat.Ports{Low: 5353, High: 5353}},
	}},
	Clamps: []nat.Clamp{{Device: "vxlan0"}, {Device: "vxlan1", Size: 1350}},
	Overlays: []nat.Overlay{
		{
			Device: "vxlan0", Under: "eth0", VNI: 1, Port: 4789, Remotes: addrs("10.10.0.4", "10.10.0.5"),
			Peers:   []nat.Peer{{Remote: netip.MustParseAddr("10.10.0.5"), Address: netip.MustParseAddr("169.254.0.3")}},
			Subnets: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")},
		},
		{Device: "vxlan1", Under: "vxlan0", VNI: 2, Port: 4789, Remotes: addrs("10.10.0.4")},
		{Device: "vxlan2", Under: "eth0", VNI: 3, Port: 4789, Remotes: addrs("10.10.0.4")},
	},
}

func TestNATRules(t *testing.T) {
	cfg, err := config.Parse("nvad.toml", []byte(natFile))
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(natWant, natRules(cfg, nil, nil), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNetworkdLinks(t *testing.T) {
	links, err := net.Interfaces()
	i := slices.IndexFunc(links, func(l net.Interface) bool { return l.Flags&net.FlagLoopback == 0 })
	if err != nil || i < 0 {
		t.Skip("there is no link but the loopback")
	}
	for _, tt := range []struct {
		name, state, own string
		want             bool
	}{
		{"managed", "ADMIN_STATE=configured\nOPER_STATE=routable\n", "net:[1]", true},
		{"not managed", "ADMIN_STATE=unmanaged\n", "net:[1]", false},
		{"of another namespace", "ADMIN_STATE=configured\n", "net:[2]", false},
	} {
		root := t.TempDir()
		put := func(path, content string) {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put("run/systemd/netif/links/"+strconv.Itoa(links[i].Index), tt.state)
		for pid, target := range map[string]string{"1": "net:[1]", "self": tt.own} {
			put("proc/"+pid+"/ns/x", "")
			if err := os.Symlink(target, filepath.Join(root, "proc", pid, "ns/net")); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(networkdLinks(root)) > 0; got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
