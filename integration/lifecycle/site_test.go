package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// siteBed is an NVA on-premises behind NAT, and two NVAs of a hub with public addresses. Each NVA
// has a host address of its network on lo; those of the hub share one.
//
//	site 192.168.50.2 ─ NAT 203.0.113.9 ─ internet ─┬─ hub1 203.0.113.1
//	                                                └─ hub2 203.0.113.2
type siteBed struct {
	*netbed.Bed
	nvads map[string]*netbed.Process
}

const siteHost, hubHost = "192.168.60.1", "10.10.0.1"

// TestSiteBehindNAT: a site reaches its hub through WireGuard, without an address that the hub
// knows. When the hub's NVA in use dies, the other one takes over. When the NAT gets another
// address, the hub follows.
func TestSiteBehindNAT(t *testing.T) {
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		lab.NotRun(t, err.Error())
	}
	b := newSite(t)
	b.Eventually(30*time.Second, b.reached)
	for _, hub := range []string{"hub1", "hub2"} {
		b.Eventually(30*time.Second, func() error { return b.sees(hub, "203.0.113.9:") })
		b.Eventually(30*time.Second, func() error { return b.established(hub) })
		b.Eventually(10*time.Second, func() error { // it remembers where the site is for its next run
			_, err := os.Stat(b.Path(hub + "/wireguard/endpoints"))
			return err
		})
	}
	t.Run("failover", func(t *testing.T) {
		b.nvads["hub1"].Kill()
		start := time.Now()
		b.Eventually(10*time.Second, b.reached)
		t.Logf("the other NVA of the hub carried traffic after %v", time.Since(start).Round(10*time.Millisecond))
		// The restarted end remembers where the site was, and calls. Otherwise the site's WireGuard
		// would begin anew only when nothing answered for 15 seconds.
		b.start("hub1")
		start = time.Now()
		b.Eventually(10*time.Second, func() error { return b.established("hub1") })
		t.Logf("the session was up again %v after the start", time.Since(start).Round(10*time.Millisecond))
		b.nvads["hub2"].Kill()
		b.Eventually(10*time.Second, b.reached)
		b.start("hub2")
		b.Eventually(10*time.Second, func() error { return b.established("hub2") })
	})
	t.Run("another address of the NAT", func(t *testing.T) {
		b.Batch("nat", "addr del 203.0.113.9/24 dev wan", "addr add 203.0.113.10/24 dev wan")
		b.Eventually(30*time.Second, func() error { return b.sees("hub1", "203.0.113.10:") })
		b.Eventually(30*time.Second, b.reached)
	})
}

func newSite(t *testing.T) *siteBed {
	b := &siteBed{netbed.New(t, "site", "nat", "internet", "hub1", "hub2"), map[string]*netbed.Process{}}
	b.network()
	b.configure(b.keys())
	for _, nva := range []string{"hub1", "hub2", "site"} {
		b.start(nva)
	}
	return b
}

// network joins the machines, and gives them addresses and the NAT.
func (b *siteBed) network() {
	b.Join("site", "eth0", []string{"192.168.50.2/24"}, "nat", "lan", []string{"192.168.50.1/24"})
	b.Join("nat", "wan", []string{"203.0.113.9/24"}, "internet", "port0", nil)
	b.Join("hub1", "eth0", []string{"203.0.113.1/24"}, "internet", "port1", nil)
	b.Join("hub2", "eth0", []string{"203.0.113.2/24"}, "internet", "port2", nil)
	b.Batch("internet", "link add br0 type bridge", "link set br0 up",
		"link set port0 master br0", "link set port1 master br0", "link set port2 master br0")
	b.Batch("site", "route add default via 192.168.50.1", "addr add "+siteHost+"/32 dev lo")
	b.Batch("hub1", "addr add "+hubHost+"/32 dev lo")
	b.Batch("hub2", "addr add "+hubHost+"/32 dev lo")
	b.In("nat", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	b.Rules("nat", "table ip nat {\nchain post {\ntype nat hook postrouting priority srcnat\noifname wan masquerade\n}\n}\n")
}

// keys makes the keys of all tunnels, and returns the public ones by "NVA TUNNEL".
func (b *siteBed) keys() map[string]string {
	keys := map[string]string{}
	for nva, tunnels := range map[string][]string{"site": {"hub1", "hub2"}, "hub1": {"site"}, "hub2": {"site"}} {
		if err := os.MkdirAll(b.Path(nva), 0o755); err != nil {
			b.T.Fatal(err)
		}
		for _, name := range tunnels {
			out := b.Run(lab.Build(b.T, "./cmd/nvad"), "public-key", name, "--socket", b.socket(nva))
			keys[nva+" "+name] = strings.TrimSpace(out)
		}
	}
	return keys
}

// configure writes the files of the NVAs.
func (b *siteBed) configure(keys map[string]string) {
	b.Write("site/nvad.toml", fmt.Sprintf(`asn = 65050
router-id = "192.168.50.2"
kernel.ip-forward = true
[[tunnel]]
name = "hub"
type = "wireguard"
listen-port = 0
peers = [
  { name = "hub1", public-key = %q, endpoint = "203.0.113.1:51820", address = "169.254.1.2/30" },
  { name = "hub2", public-key = %q, endpoint = "203.0.113.2:51820", address = "169.254.2.2/30" },
]
[[network]]
prefix = "192.168.60.0/24"
[peer-group.hub]
remote-asn = 65001
bfd = true
import = "accept"
export = "accept"
[[neighbor]]
address = "169.254.1.1"
peer-group = "hub"
[[neighbor]]
address = "169.254.2.1"
peer-group = "hub"
`, keys["hub1 site"], keys["hub2 site"]))
	for i, hub := range []string{"hub1", "hub2"} {
		b.Write(hub+"/nvad.toml", fmt.Sprintf(`asn = 65001
router-id = "203.0.113.%d"
kernel.ip-forward = true
[[tunnel]]
name = "site"
type = "wireguard"
public-key = %q
address = "169.254.%d.1/30"
[[network]]
prefix = "10.10.0.0/16"
[[neighbor]]
address = "169.254.%d.2"
remote-asn = 65050
bfd = true
import = "accept"
export = "accept"
`, i+1, keys["site "+hub], i+1, i+1))
	}
}

func (b *siteBed) socket(nva string) string { return b.Path(nva + "/nvad.sock") }

func (b *siteBed) start(nva string) {
	b.nvads[nva] = b.Spawn(nva, nva, lab.Build(b.T, "./cmd/nvad"), "--config", b.Path(nva+"/nvad.toml"), "--socket", b.socket(nva))
}

func (b *siteBed) ctl(nva string, args ...string) (string, error) {
	return netbed.Try(b.Command(nva, append([]string{lab.Build(b.T, "./cmd/nvactl"), "--socket", b.socket(nva)}, args...)...))
}

// reached sends a packet from the site's network to the hub's.
func (b *siteBed) reached() error {
	_, err := netbed.Try(b.Command("site", "ping", "-c", "1", "-W", "0.3", "-I", siteHost, hubHost))
	return err
}

// sees checks where a hub's NVA has found the site.
func (b *siteBed) sees(hub, endpoint string) error {
	out, err := b.ctl(hub, "tunnels", "site")
	if err == nil && !strings.Contains(out, endpoint) {
		err = errors.New(out)
	}
	return err
}

func (b *siteBed) established(nva string) error {
	out, err := b.ctl(nva, "neighbors")
	if err == nil && !strings.Contains(out, "Established") {
		err = errors.New(out)
	}
	return err
}
