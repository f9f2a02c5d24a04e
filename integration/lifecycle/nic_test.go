package lifecycle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// twoNICs is an NVA with a NIC in each of two subnets, set up as Ubuntu does in Azure: the
// primary NIC has the default route and the preferred host route to the platform address, from
// which probes come. If the answer leaves by another NIC than the probe arrived on, it is
// dropped, as the SDN does.
type twoNICs struct{ *bed }

const (
	platformAddress = "168.63.129.16"
	secondAddress   = "10.0.1.4"
	probedFile      = `[health]
listen = ["10.0.0.4:8080", "10.0.1.4:8080"]
`
	bothNICs = probedFile + `[[nic]]
device = "eth0"
[[nic]]
device = "eth1"
`
)

func newTwoNICs(t *testing.T) twoNICs {
	b := newBed(t)
	lab.RequireCommands(t, "curl", "nft")
	b.Join(b.ours, "eth1", nil, b.theirs, "eth1", nil)
	for _, c := range []string{
		"link set eth1 up", "addr add " + secondAddress + "/24 dev eth1", "route add default via " + peer1 + " proto dhcp metric 100",
		"route add " + platformAddress + " via " + peer1 + " proto dhcp metric 100",
		"route add " + platformAddress + " via 10.0.1.1 proto dhcp metric 200",
	} {
		b.ip(c)
	}
	b.reversePath(b.ours, 2)
	for _, c := range []string{"link set eth1 up", "addr add 10.0.1.1/24 dev eth1", "addr add " + platformAddress + "/32 dev lo"} {
		b.IP(b.theirs, c)
	}
	b.reversePath(b.theirs, 1)
	rules := b.Command(b.theirs, "nft", "-f", "-")
	rules.Stdin = strings.NewReader(`table ip seen {
		counter by_eth0 {}
		counter by_eth1 {}
		chain in {
			type filter hook prerouting priority raw
			iifname eth0 ip saddr 10.0.1.4 tcp sport 8080 counter name by_eth0
			iifname eth1 ip saddr 10.0.1.4 tcp sport 8080 counter name by_eth1
		}
	}`)
	if out, err := rules.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
	return twoNICs{b}
}

// reversePath sets the reverse-path check of source addresses: 1 strict, 2 loose.
func (b *bed) reversePath(ns string, mode int) {
	b.Helper()
	for _, device := range []string{"all", "eth0", "eth1"} {
		b.In(ns, "sysctl", "-qw", fmt.Sprintf("net.ipv4.conf.%s.rp_filter=%d", device, mode))
	}
}

// probe checks the NVA's health at one of its addresses, as a load balancer does.
func (b twoNICs) probe(address string) error {
	out, err := b.Command(b.theirs, "curl", "-sS", "-m", "1", "--interface", platformAddress,
		"-o", "/dev/null", "-w", "%{http_code}", "http://"+address+":8080/healthz").CombinedOutput()
	if err == nil && string(out) == "200" {
		return nil
	}
	return fmt.Errorf("probe of %s: %v: %s", address, err, out)
}

// answered returns the NICs by which the second NIC's answers have left since the last call.
func (b twoNICs) answered() string {
	b.Helper()
	var by []string
	for _, line := range strings.Split(b.In(b.theirs, "nft", "reset", "counters", "table", "ip", "seen"), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "counter" {
			by = append(by, strings.TrimPrefix(f[1], "by_"))
		} else if len(f) > 1 && f[0] == "packets" && f[1] == "0" {
			by = by[:len(by)-1]
		}
	}
	return strings.Join(by, " ")
}

// probed waits until both NICs answer, and checks that the second NIC's answers leave by that
// NIC only.
func (b twoNICs) probed() {
	b.Helper()
	b.Eventually(patience, func() error { return b.probe(secondAddress) })
	b.answered()
	for _, a := range []string{ourAddress, secondAddress} {
		b.must(b.probe(a))
	}
	if by := b.answered(); by != "eth1" {
		b.Errorf("answers came by %q", by)
	}
}

// TestTwoNICs follows an NVA whose second NIC is probed. Without [[nic]] the probe gets no
// answer. With it, the answers leave by that NIC, even under a strict reverse-path check,
// after another program's changes and across a restart.
func TestTwoNICs(t *testing.T) {
	t.Parallel()
	b := newTwoNICs(t)
	before := b.ip("rule") + b.ip("-4 route show table all")
	b.Write("nvad.toml", probedFile)
	n := b.start()
	b.Eventually(patience, func() error { return b.probe(ourAddress) })
	if err := b.probe(secondAddress); err == nil {
		t.Error("without [[nic]], a probe of the second NIC is answered")
	}
	if by := b.answered(); by != "eth0" {
		t.Errorf("without [[nic]], answers came by %q", by)
	}
	b.Write("nvad.toml", bothNICs)
	b.must(contains(b.tell("reload --dry-run"), "nic eth1", "added", "live"))
	b.tell("reload")
	b.probed()
	b.must(contains(b.tell("status"), "answers probes of 10.0.1.4 through 10.0.1.1, table 16801"))
	b.must(contains(b.tell("config show"), "[[nic]]\ndevice = \"eth1\"\n"))
	b.reversePath(b.ours, 1)
	b.probed()
	b.otherTraffic()

	good := b.ip("rule") + b.ip("route show table 16801")
	n.Stop()
	if kept := b.ip("rule") + b.ip("route show table 16801"); kept != good {
		t.Errorf("after nvad stopped\n%s\nbefore\n%s", kept, good)
	}
	b.start()
	b.probed()
	b.spoiled(good)
	b.Write("nvad.toml", strings.Replace(bothNICs, "[[nic]]\ndevice = \"eth1\"\n", "", 1))
	b.tell("reload")
	b.Eventually(patience, func() error {
		if rules := b.ip("rule"); strings.Contains(rules, "lookup 16801") || !strings.Contains(rules, "lookup 16800") {
			return fmt.Errorf("without eth1 in the file, rules are\n%s", rules)
		}
		return nil
	})
	b.tell("stop --flush")
	if after := b.ip("rule") + b.ip("-4 route show table all"); after != before {
		t.Errorf("after\n%s\nbefore\n%s", after, before)
	}
}

// spoiled deletes a rule and routes of nvad's, as another program might, and waits until nvad
// has restored them.
func (b twoNICs) spoiled(good string) {
	b.Helper()
	b.ip("rule del pref 168 from " + secondAddress)
	b.ip("route flush table 16801")
	b.Eventually(patience, func() error {
		if got := b.ip("rule") + b.ip("route show table 16801"); got != good {
			return fmt.Errorf("rules are\n%s\nwant\n%s", got, good)
		}
		return nil
	})
	b.probed()
}

// otherTraffic checks that other traffic from the second NIC's address follows table main, for
// example BGP and VXLAN to the other NVAs.
func (b twoNICs) otherTraffic() {
	b.Helper()
	b.ip("route add 10.20.0.0/16 via 10.0.0.2")
	b.must(contains(b.ip("route get 10.20.0.4 from "+secondAddress), "via 10.0.0.2 dev eth0"))
	b.must(contains(b.ip("route get 10.30.0.4 from "+secondAddress), "via 10.0.0.1 dev eth0"))
	b.must(contains(b.ip("route get "+platformAddress), "via 10.0.0.1 dev eth0"))
	b.ip("route del 10.20.0.0/16 via 10.0.0.2")
}
