package frrconf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nvad/nvad/pkg/config"
)

func TestScript(t *testing.T) {
	const script = `#!/bin/bash
set -e
modprobe vxlan || true
sudo ip link del vxlan0 2>/dev/null || true
/sbin/ip link add vxlan0 mtu 1400 type vxlan id 77 local 10.0.0.4 dstport 4789 ttl auto nolearning dev eth0
ip link set dev vxlan0 address 02:00:00:00:00:01 && ip link set vxlan0 up # now
ip address add 169.254.0.1/24 dev vxlan0
bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 10.10.0.4
bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 10.20.0.4
bridge fdb add 02:00:00:00:00:02 dev vxlan0 dst 10.20.0.4
ip link add vxlan1 type vxlan id 78 group 239.1.1.1 dev eth0
ip route add 10.0.210.0/24 via 10.0.0.1 dev eth0 src 10.0.0.4
sysctl -w net.ipv4.ip_forward=1
ip link set eth0 up
if [ -e /x ]; then
ip address add 10.9.9.9/24 dev eth0
iptables -A FORWARD -j ACCEPT
ip route add
`
	in := Input{FRR: []byte(bgpHead), FRRVersion: "8.4", VXLANScript: []byte(script), RouterID: netip.MustParseAddr("10.0.0.4")}
	accounted(t, in)
	cfg, left, err := Convert(in)
	if err != nil {
		t.Fatal(err)
	}
	reread(t, cfg, rendered(t, cfg, left))
	addr := netip.MustParseAddr
	want := []config.Tunnel{
		{
			Name: "vxlan0", VNI: 77, Device: "eth0", Local: addr("10.0.0.4"), Port: 4789, MTU: 1400,
			Remotes:   []netip.Addr{addr("10.10.0.4"), addr("10.20.0.4")},
			Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")},
		},
		{Name: "vxlan1", VNI: 78, Device: "eth0", Group: addr("239.1.1.1"), Port: 8472, Learning: true},
	}
	if diff := cmp.Diff(want, cfg.Tunnels, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("tunnels (-want +got)\n%s", diff)
	}
	if len(cfg.Statics) != 1 || cfg.Statics[0].Source != addr("10.0.0.4") || cfg.Kernel.Sysctls["net.ipv4.ip_forward"] != "1" {
		t.Errorf("got %+v and %v", cfg.Statics, cfg.Kernel.Sysctls)
	}
	var lines []int
	for _, l := range left {
		if l.Kind != NoMeaning {
			lines = append(lines, l.Line)
		}
	}
	if diff := cmp.Diff([]int{6, 14, 15, 16, 17, 18}, lines); diff != "" {
		t.Errorf("leftovers with a meaning (-want +got)\n%s", diff)
	}
}

// TestRouterID checks the router-id that FRR would choose, if the input shows it.
func TestRouterID(t *testing.T) {
	const static = "iface eth0 inet static\n address 10.0.0.4\n netmask 255.255.255.0\n"
	tests := []struct{ name, frr, interfaces, want string }{
		{"given", "bgp router-id 1.1.1.1\n", static, "1.1.1.1"},
		{"highest", "", static + "iface eth1 inet static\n address 10.0.1.4/24\n", "10.0.1.4"},
		{"no link-local", "", static + "iface vx inet static\n address 169.254.0.1/24\n", "10.0.0.4"},
		{"loopback first", "", static + "iface lo inet loopback\niface lo:1 inet static\n address 10.0.0.2/32\n", "10.0.0.2"},
		{"unknown by DHCP", "", static + "iface eth1 inet dhcp\n", placeholderRouterID.String()},
		{"unknown by omission", "", "", placeholderRouterID.String()},
		{"masked", "", static + "iface eth1 inet static\n address ****\n", placeholderRouterID.String()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{FRR: []byte(bgpHead + tt.frr), Interfaces: []byte(tt.interfaces)}
			accounted(t, in)
			cfg, left, err := Convert(in)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.RouterID.String() != tt.want {
				t.Errorf("got %v, want %s", cfg.RouterID, tt.want)
			}
			file := string(rendered(t, cfg, left))
			if unknown := cfg.RouterID == placeholderRouterID; strings.Contains(file, "# placeholder") != unknown {
				t.Errorf("placeholder marked: %t, want %t\n%s", !unknown, unknown, file)
			}
		})
	}
}

// TestHooks checks a tunnel that the interfaces file creates.
func TestHooks(t *testing.T) {
	in := Input{RouterID: netip.MustParseAddr("10.0.0.4"), FRR: []byte(bgpHead), FRRVersion: "8.4", Interfaces: []byte(`auto eth0
iface eth0 inet dhcp
  post-up ip link add vxlan0 type vxlan id 77 remote 10.10.0.4 dstport 4789 dev eth0
  post-up ip address add 169.254.0.1/24 dev vxlan0
  post-up ip route add 10.0.210.0/24 via 10.0.0.1
`)}
	accounted(t, in)
	cfg, left, err := Convert(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Tunnels) != 1 || len(cfg.Tunnels[0].Addresses) != 1 || len(cfg.Statics) != 0 || len(left) != 2 {
		t.Errorf("got %+v, %+v\n%s", cfg.Tunnels, cfg.Statics, text(left))
	}
}

func TestNothing(t *testing.T) {
	cfg, left, err := Convert(Input{})
	if err != nil {
		t.Fatal(err)
	}
	rendered(t, cfg, left)
	if len(left) != 2 {
		t.Errorf("got\n%s", text(left))
	}
}
