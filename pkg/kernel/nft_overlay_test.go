package kernel

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/nat"
)

// everyGuard returns guards for a shared tunnel of both families, for one of a multicast
// group, and for another program's VXLAN on the same port.
func everyGuard() nat.Rules {
	addr := netip.MustParseAddr
	return nat.Rules{
		Overlays: []nat.Overlay{
			{
				Device: "vxlan0", Under: "eth0", VNI: 77, Port: 4789, Remotes: addrs("10.10.0.4", "10.10.0.5"),
				Peers:   []nat.Peer{{Remote: addr("10.10.0.4"), Address: addr("169.254.0.2")}, {Remote: addr("10.10.0.5"), Address: addr("fd77::2")}},
				Subnets: prefixes("169.254.0.1/24", "fd77::1/64", "fe80::1/64"),
			},
			{
				Device: "vxlan2", Under: "vxlan1", VNI: 79, Port: 4789, Remotes: addrs("fd10::4", "fd10::5"),
				Peers: []nat.Peer{{Remote: addr("fd10::4"), Address: addr("10.98.0.2")}},
			},
			{Device: "vxlan1", Under: "eth0", VNI: 78, Port: 8472, Subnets: prefixes("10.99.0.1/30")},
		},
		SNATs:   []nat.SNAT{{Source: prefixes("10.1.0.0/16")[0], Out: "eth0", To: nat.Endpoint{Addr: addr("10.0.0.4")}}},
		Foreign: []nat.Segment{{Port: 4789, VNI: 5}, {Port: 4790, VNI: 6}},
	}
}

// everyGuardShown is the table as nft(8) lists it, without the comments.
const everyGuardShown = `table inet nvad {
chain underlay {
type filter hook input priority raw; policy accept;
iifname "vxlan0" udp dport 4789 drop
iifname "vxlan0" udp dport 8472 drop
iifname "vxlan2" udp dport 4789 drop
iifname "vxlan2" udp dport 8472 drop
iifname "vxlan1" udp dport 8472 drop
udp dport 4789 @th,96,24 0x4d jump underlay-1
udp dport 4789 @th,96,24 0x4f jump underlay-2
udp dport 8472 @th,96,24 0x4e jump underlay-3
udp dport 4789 @th,96,24 0x5 accept
udp dport 4789 drop
udp dport 8472 drop
}
chain overlay {
type filter hook prerouting priority raw; policy accept;
iifname "lo" accept
iifname "vxlan0" jump overlay-1
iifname "vxlan2" jump overlay-2
iifname "vxlan1" jump overlay-3
ip saddr 168.63.129.16 accept
ip saddr 169.254.169.254 accept
ip saddr 169.254.0.0/24 drop
ip6 saddr fd77::/64 drop
ip saddr 10.99.0.0/30 drop
}
chain overlay-forged {
ip saddr 10.10.0.4 udp dport 4789 drop
ip saddr 10.10.0.5 udp dport 4789 drop
ip6 saddr fd10::4 udp dport 4789 drop
ip6 saddr fd10::5 udp dport 4789 drop
}
chain underlay-1 {
ip saddr != 10.10.0.4 @th,224,16 0x800 @th,336,32 0xa9fe0002 drop
ip saddr != 10.10.0.4 @th,224,16 0x806 @th,352,32 0xa9fe0002 drop
ip saddr != 10.10.0.5 @th,224,16 0x86dd @th,304,128 0xfd770000000000000000000000000002 drop
ip saddr != 10.10.0.5 @th,224,16 0x86dd @th,288,8 0x3a @th,560,8 0x88 @th,624,128 0xfd770000000000000000000000000002 drop
@th,224,16 0x86dd @th,288,8 0x0 @th,296,8 0xff drop
@th,224,16 0x86dd @th,288,8 0x2b @th,296,8 0xff drop
@th,224,16 0x86dd @th,288,8 0x2c @th,296,8 0xff drop
@th,224,16 0x86dd @th,288,8 0x3c @th,296,8 0xff drop
@th,224,16 != 0x800 @th,224,16 != 0x86dd @th,224,16 != 0x806 drop
ip saddr 10.10.0.4 accept
ip saddr 10.10.0.5 accept
drop
}
chain overlay-1 {
meta l4proto udp jump overlay-forged
ip saddr 168.63.129.16 drop
ip saddr 169.254.169.254 drop
fib saddr type local drop
ip saddr 169.254.0.0/24 accept
ip6 saddr fd77::/64 accept
ip6 saddr fe80::/64 accept
ip saddr 169.254.0.0/16 drop
}
chain underlay-2 {
exthdr frag exists drop
ip6 saddr != fd10::4 @th,224,16 0x800 @th,336,32 0xa620002 drop
ip6 saddr != fd10::4 @th,224,16 0x806 @th,352,32 0xa620002 drop
@th,224,16 != 0x800 @th,224,16 != 0x86dd @th,224,16 != 0x806 drop
ip6 saddr fd10::4 accept
ip6 saddr fd10::5 accept
drop
}
chain overlay-2 {
meta l4proto udp jump overlay-forged
ip saddr 168.63.129.16 drop
ip saddr 169.254.169.254 drop
fib saddr type local drop
ip saddr 169.254.0.0/16 drop
}
chain underlay-3 {
@th,224,16 != 0x800 @th,224,16 != 0x86dd @th,224,16 != 0x806 drop
accept
}
chain overlay-3 {
ip saddr 168.63.129.16 drop
ip saddr 169.254.169.254 drop
fib saddr type local drop
ip saddr 10.99.0.0/30 accept
ip saddr 169.254.0.0/16 drop
}
chain postrouting {
type nat hook postrouting priority srcnat; policy accept;
ip daddr 168.63.129.16 return
ip daddr 169.254.169.254 return
ip daddr 10.10.0.4 udp dport 4789 return
ip daddr 10.10.0.5 udp dport 4789 return
ip6 daddr fd10::4 udp dport 4789 return
ip6 daddr fd10::5 udp dport 4789 return
oifname "eth0" ip saddr 10.1.0.0/16 snat ip to 10.0.0.4
}
}
`

// Every form of guard reaches the kernel as intended and reads back the same.
func TestGuardForms(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	m := nat.New(k.NFT)
	m.SetWanted(everyGuard())
	syncNAT(t, m)
	if got := shown(t, name, "table inet nvad"); got != everyGuardShown {
		t.Errorf("table is\n%s\nwant\n%s", got, everyGuardShown)
	}
	list, err := m.Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []string{"vxlan0", "vxlan1"} {
		if drops, guarded := nat.Dropped(list, device); !guarded || len(drops) > 0 {
			t.Errorf("%s: guarded %t, drops %v", device, guarded, drops)
		}
	}
}
