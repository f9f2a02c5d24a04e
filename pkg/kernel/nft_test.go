package kernel

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/nat"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func endpoint(addr string, low, high uint16) nat.Endpoint {
	return nat.Endpoint{Addr: netip.MustParseAddr(addr), Ports: nat.Ports{Low: low, High: high}}
}

// everyRule returns rules in all their forms.
func everyRule() nat.Rules {
	any4, any6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	return nat.Rules{
		Masquerades: []nat.Masquerade{
			{Out: "bond0", Source: any4, ExceptDestinations: prefixes("10.0.0.0/8", "172.16.0.0/12"), ExceptSources: prefixes("192.168.0.1/32")},
			{Out: "bond0", Source: any6, ExceptDestinations: prefixes("fd00::/8")},
		},
		SNATs: []nat.SNAT{
			{Source: prefixes("10.1.0.0/20")[0], Out: "eth0", To: endpoint("10.0.0.4", 0, 0)},
			{Source: prefixes("10.2.0.0/16")[0], Out: "eth0", To: endpoint("10.0.0.4", 1024, 2047)},
			{Source: prefixes("fd01::/64")[0], Out: "eth0", To: endpoint("fd00::4", 0, 0)},
		},
		DNATs: []nat.DNAT{
			{In: "eth0", Protocol: nat.TCP, Ports: nat.Ports{Low: 8080, High: 8080}, To: endpoint("10.1.0.4", 80, 80)},
			{Destination: netip.MustParseAddr("10.0.0.9"), To: endpoint("10.1.0.5", 0, 0)},
			{In: "eth0", Ports: nat.Ports{Low: 5000, High: 5003}, To: endpoint("fd01::5", 6000, 6003)},
			{In: "eth0", Protocol: nat.UDP, Ports: nat.Ports{Low: 7000, High: 7009}, To: endpoint("10.1.0.4", 7000, 7009)},
		},
		Clamps: []nat.Clamp{{Device: "vxlan0"}, {Device: "vxlan1", Size: 1350}},
	}
}

// everyRuleShown is the table as nft(8) lists it, without the comments.
const everyRuleShown = `table inet nvad {
chain prerouting {
type nat hook prerouting priority dstnat; policy accept;
ip daddr 168.63.129.16 return
ip daddr 169.254.169.254 return
iifname "eth0" meta nfproto ipv4 tcp dport 8080 dnat ip to 10.1.0.4:80
ip daddr 10.0.0.9 dnat ip to 10.1.0.5
iifname "eth0" meta nfproto ipv6 tcp dport 5000 dnat ip6 to [fd01::5]:6000
iifname "eth0" meta nfproto ipv6 tcp dport 5001 dnat ip6 to [fd01::5]:6001
iifname "eth0" meta nfproto ipv6 tcp dport 5002 dnat ip6 to [fd01::5]:6002
iifname "eth0" meta nfproto ipv6 tcp dport 5003 dnat ip6 to [fd01::5]:6003
iifname "eth0" meta nfproto ipv6 udp dport 5000 dnat ip6 to [fd01::5]:6000
iifname "eth0" meta nfproto ipv6 udp dport 5001 dnat ip6 to [fd01::5]:6001
iifname "eth0" meta nfproto ipv6 udp dport 5002 dnat ip6 to [fd01::5]:6002
iifname "eth0" meta nfproto ipv6 udp dport 5003 dnat ip6 to [fd01::5]:6003
iifname "eth0" meta nfproto ipv4 udp dport 7000-7009 dnat ip to 10.1.0.4
}
chain postrouting {
type nat hook postrouting priority srcnat; policy accept;
ip daddr 168.63.129.16 return
ip daddr 169.254.169.254 return
oifname "eth0" ip saddr 10.1.0.0/20 snat ip to 10.0.0.4
oifname "eth0" ip saddr 10.2.0.0/16 meta l4proto tcp snat ip to 10.0.0.4:1024-2047
oifname "eth0" ip saddr 10.2.0.0/16 meta l4proto udp snat ip to 10.0.0.4:1024-2047
oifname "eth0" ip saddr 10.2.0.0/16 snat ip to 10.0.0.4
oifname "eth0" ip6 saddr fd01::/64 snat ip6 to fd00::4
oifname "bond0" meta nfproto ipv4 jump masquerade-1
oifname "bond0" meta nfproto ipv6 jump masquerade-2
}
chain masquerade-1 {
ip daddr 10.0.0.0/8 return
ip daddr 172.16.0.0/12 return
ip saddr 192.168.0.1 return
masquerade
}
chain masquerade-2 {
ip6 daddr fd00::/8 return
masquerade
}
chain forward {
type filter hook forward priority mangle; policy accept;
oifname "vxlan0" tcp flags syn / syn,rst tcp option maxseg size set rt mtu
iifname "vxlan0" tcp flags syn / syn,rst tcp option maxseg size set rt mtu
oifname "vxlan1" tcp flags syn / syn,rst tcp option maxseg size set 1350
iifname "vxlan1" tcp flags syn / syn,rst tcp option maxseg size set 1350
}
}
`

// shown returns how nft(8) lists the table, or all tables, without comments, counters and
// indentation.
func shown(t *testing.T, name, what string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(sh(t, "ip netns exec "+name+" nft -s list "+what)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " comment ")
		line = strings.TrimPrefix(strings.Replace(line, " counter ", " ", 1), "counter ")
		if line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// Every form of rule reaches the kernel as intended, and a second process finds nothing to do.
func TestNATForms(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	m := nat.New(k.NFT)
	m.SetWanted(everyRule())
	syncNAT(t, m)
	if got := shown(t, name, "table inet nvad"); got != everyRuleShown {
		t.Errorf("table is\n%s\nwant\n%s", got, everyRuleShown)
	}
	handles := sh(t, "ip netns exec "+name+" nft -s -a list table inet nvad")
	again := nat.New(k.NFT)
	again.SetWanted(everyRule())
	syncNAT(t, again)
	if got := sh(t, "ip netns exec "+name+" nft -s -a list table inet nvad"); got != handles {
		t.Errorf("after the restart\n%s\nbefore\n%s", got, handles)
	}
}

func syncNAT(t *testing.T, m *nat.Manager) {
	t.Helper()
	if _, err := m.Sync(time.Now()); err != nil {
		t.Fatal(err)
	}
}

// nvad undoes whatever another program does to its table, and leaves everything outside the
// table alone.
func TestNATRepairs(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	nft := func(args string) { t.Helper(); sh(t, "ip netns exec "+name+" nft "+args) }
	for _, cmd := range []string{
		"add table ip nvad", "add chain ip nvad own", "add rule ip nvad own accept",
		"add table inet filter", "add chain inet filter postrouting",
	} {
		nft(cmd)
	}
	foreign := shown(t, name, "ruleset")
	m := nat.New(k.NFT)
	m.SetWanted(everyRule())
	syncNAT(t, m)
	if got := m.Repairs(); len(got) > 0 {
		t.Errorf("writing the first table counts as a repair: %v", got)
	}
	for _, cmd := range []string{
		"delete table inet nvad",
		"flush table inet nvad",
		"flush chain inet nvad forward",
		"add rule inet nvad postrouting masquerade",
		"insert rule inet nvad masquerade-1 ip daddr 8.8.8.8 return",
		"delete chain inet nvad forward",
		"add chain inet nvad extra",
		"add chain inet nvad postrouting { policy drop; }",
		"add table inet nvad { flags dormant; }",
	} {
		if strings.HasPrefix(cmd, "delete chain") {
			nft("flush chain inet nvad forward")
		}
		nft(cmd)
		syncNAT(t, m)
		if got := shown(t, name, "table inet nvad"); got != everyRuleShown {
			t.Errorf("%s: table is\n%s", cmd, got)
		}
		got := m.Repairs()
		if len(got) != 1 {
			t.Errorf("%s: repairs %q", cmd, got)
		}
		t.Log(cmd, got)
	}
	m.SetWanted(nat.Rules{})
	syncNAT(t, m)
	if got := shown(t, name, "ruleset"); got != foreign {
		t.Errorf("all rules are\n%swant\n%s", got, foreign)
	}
	if err := k.NFT.Delete(); err != nil {
		t.Errorf("nothing to delete: %v", err)
	}
}

// A table larger than anyone is likely to need is written in one step.
func TestNATLargeTable(t *testing.T) {
	ns, _ := testNS(t)
	k := open(t, ns)
	var rules nat.Rules
	for i := range 4 {
		low := uint16(1000 + 256*i)
		rules.DNATs = append(rules.DNATs, nat.DNAT{In: "eth0", Ports: nat.Ports{Low: low, High: low + 255}, To: endpoint("10.1.0.4", 20000, 20255)})
	}
	m := nat.New(k.NFT)
	m.SetWanted(rules)
	start := time.Now()
	syncNAT(t, m)
	t.Logf("2048 rules in %v", time.Since(start).Round(time.Millisecond))
}

// Each connection that leaves by the masqueraded device is counted once.
func TestNATHits(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	sh(t, "ip -n "+name+" link add hits0 type veth peer name hits1")
	sh(t, "ip -n "+name+" addr add 10.66.0.4/24 dev hits0")
	sh(t, "ip -n "+name+" link set hits0 up")
	sh(t, "ip -n "+name+" link set hits1 up")
	sh(t, "ip -n "+name+" neigh add 10.66.0.9 lladdr 02:00:00:00:00:09 dev hits0")
	m := nat.New(k.NFT)
	m.SetWanted(nat.Rules{Masquerades: []nat.Masquerade{{Out: "hits0", Source: netip.MustParsePrefix("0.0.0.0/0")}}})
	syncNAT(t, m)
	_ = exec.Command("ip", "netns", "exec", name, "ping", "-c", "3", "-i", "0.01", "-W", "0.1", "10.66.0.9").Run() // nobody answers
	list, err := m.Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Missing || s.Packets != 1 || s.Bytes == 0 {
			t.Errorf("%s %s: %+v", s.Chain, s.Rule, s.Hits)
		}
	}
	if len(list) != 2 {
		t.Errorf("%d rules", len(list))
	}
}
