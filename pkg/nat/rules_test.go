package nat_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nat/nattest"
)

// spared is the beginning of every chain that translates.
const spared = "  daddr 168.63.129.16/32 return\n  daddr 169.254.169.254/32 return\n"

func endpoint(addr string, low, high uint16) nat.Endpoint {
	return nat.Endpoint{Addr: netip.MustParseAddr(addr), Ports: nat.Ports{Low: low, High: high}}
}

func TestDNAT(t *testing.T) {
	ports := func(low, high uint16) nat.Ports { return nat.Ports{Low: low, High: high} }
	for _, tt := range []struct {
		name string
		dnat nat.DNAT
		want string
	}{
		{"everything", nat.DNAT{Destination: netip.MustParseAddr("10.0.0.9"), To: endpoint("10.1.0.4", 0, 0)},
			"  daddr 10.0.0.9/32 dnat to 10.1.0.4\n"},
		{"a protocol", nat.DNAT{In: "eth0", Protocol: nat.UDP, To: endpoint("10.1.0.4", 0, 0)},
			"  iifname \"eth0\" udp dnat to 10.1.0.4\n"},
		{"one port", nat.DNAT{In: "eth0", Protocol: nat.TCP, Ports: ports(8080, 8080), To: endpoint("10.1.0.4", 80, 80)},
			"  iifname \"eth0\" tcp dport 8080 dnat to 10.1.0.4:80\n"},
		{"port of either protocol", nat.DNAT{In: "eth0", Ports: ports(53, 53), To: endpoint("fd01::4", 5353, 5353)},
			"  iifname \"eth0\" tcp dport 53 dnat to [fd01::4]:5353\n  iifname \"eth0\" udp dport 53 dnat to [fd01::4]:5353\n"},
		{"any port to one", nat.DNAT{In: "eth0", Protocol: nat.TCP, To: endpoint("10.1.0.4", 80, 80)},
			"  iifname \"eth0\" tcp dnat to 10.1.0.4:80\n"},
		{"a range to one", nat.DNAT{In: "eth0", Protocol: nat.TCP, Ports: ports(8000, 8009), To: endpoint("10.1.0.4", 80, 80)},
			"  iifname \"eth0\" tcp dport 8000-8009 dnat to 10.1.0.4:80\n"},
		{"a range to itself", nat.DNAT{In: "eth0", Protocol: nat.TCP, Ports: ports(8000, 8009), To: endpoint("10.1.0.4", 8000, 8009)},
			"  iifname \"eth0\" tcp dport 8000-8009 dnat to 10.1.0.4\n"},
		{"a range to another", nat.DNAT{In: "eth0", Protocol: nat.TCP, Ports: ports(65534, 65535), To: endpoint("10.1.0.4", 1, 2)},
			"  iifname \"eth0\" tcp dport 65534 dnat to 10.1.0.4:1\n  iifname \"eth0\" tcp dport 65535 dnat to 10.1.0.4:2\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := "prerouting hook prerouting\n" + spared + tt.want
			if got := tableOf(t, nat.Rules{DNATs: []nat.DNAT{tt.dnat}}); got != want {
				t.Errorf("table is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Ports apply to TCP and UDP. For other protocols only the address is translated.
func TestSNAT(t *testing.T) {
	got := tableOf(t, nat.Rules{
		SNATs: []nat.SNAT{
			{Source: prefixes("10.1.0.0/16")[0], Out: "eth0", To: endpoint("10.0.0.4", 1024, 2047)},
			{Source: prefixes("fd01::/64")[0], Out: "eth0", To: endpoint("fd00::4", 0, 0)},
		},
		Masquerades: []nat.Masquerade{{Out: "eth0", Source: prefixes("10.0.0.0/8")[0]}},
	})
	want := "postrouting hook postrouting\n" + spared + `  oifname "eth0" saddr 10.1.0.0/16 tcp snat to 10.0.0.4:1024-2047
  oifname "eth0" saddr 10.1.0.0/16 udp snat to 10.0.0.4:1024-2047
  oifname "eth0" saddr 10.1.0.0/16 snat to 10.0.0.4
  oifname "eth0" saddr fd01::/64 snat to fd00::4
  oifname "eth0" saddr 10.0.0.0/8 jump masquerade-1
masquerade-1
  masquerade
`
	if got != want {
		t.Errorf("table is\n%s\nwant\n%s", got, want)
	}
}

func tableOf(t *testing.T, r nat.Rules) string {
	t.Helper()
	k := &nattest.Kernel{}
	m := nat.New(k)
	m.SetWanted(r)
	sync(t, m, t0)
	return k.String()
}

// Packets that are forwarded to a remote's tunnel keep their source. If they were translated,
// the remote would consider them this NVA's.
func TestTunnelsAreNotTranslated(t *testing.T) {
	far := netip.MustParseAddr("10.10.0.4")
	rules := nat.Rules{
		Masquerades: []nat.Masquerade{{Out: "eth0", Source: prefixes("0.0.0.0/0")[0]}},
		Overlays:    []nat.Overlay{{Device: "vxlan0", VNI: 77, Port: 4789, Remotes: []netip.Addr{far}}},
	}
	want := "postrouting hook postrouting\n" + spared + "  daddr 10.10.0.4/32 udp dport 4789 return\n"
	if got := tableOf(t, rules); !strings.Contains(got, want) {
		t.Errorf("table is\n%s\nwant in it\n%s", got, want)
	}
}

// A mark changes with everything that a rule says.
func TestMarks(t *testing.T) {
	a := nat.Rule{Why: "masquerade bond0", Out: "bond0", Do: nat.MasqueradeSource}
	b := a
	b.Out = "bond1"
	if a.Mark() == b.Mark() || a.Mark() != "masquerade bond0 #97ceb9ee" {
		t.Errorf("marks %s and %s", a.Mark(), b.Mark())
	}
}
