package interop

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/rivals"
)

// setup says how the peer is configured.
type setup struct {
	v6       bool   // session over IPv6
	asn      uint32 // nvad's; 0 means 65001
	password string
	ttl      bool // TTL security
	twoOctet bool // the peer announces no 4-octet ASNs
	graceful bool
	passive  bool // the peer does not dial
	role     bool // the peer is a customer, and insists that nvad says it is the provider
}

func (s setup) ours() string {
	if s.v6 {
		return ours6
	}
	return ours4
}

func (s setup) theirs() string {
	if s.v6 {
		return theirs6
	}
	return theirs4
}

func (s setup) nvadASN() uint32 {
	if s.asn != 0 {
		return s.asn
	}
	return 65001
}

// peer is a routing daemon of AS 65002 that announces 203.0.113.0/24 and
// 2001:db8:1::/48.
type peer interface {
	rival() rivals.Rival
	start(t *testing.T, ns namespace, s setup) *netbed.Process
	// knows returns what the peer prints about a prefix that it should have from nvad.
	knows(t *testing.T, ns namespace, prefix string) string
	// refresh asks nvad for its routes.
	refresh(t *testing.T, ns namespace)
}

type frr struct {
	version rivals.Rival
	dir     string
}

func (f *frr) rival() rivals.Rival { return f.version }

func (f *frr) start(t *testing.T, ns namespace, s setup) *netbed.Process {
	t.Helper()
	conf := ns.Write("bgpd.conf", f.config(s))
	d := ns.Spawn(peerNamespace, "bgpd", frrouting.Command(f.version, f.dir, "bgpd", conf, f.startZebra(t, ns)...)...)
	if err := frrouting.Await(f.dir, "bgpd"); err != nil {
		t.Fatal(err)
	}
	return d
}

// startZebra starts zebra at the first start of a newer version, which refuses sessions with both
// families unless zebra tells it addresses of both. It returns bgpd's options.
func (f *frr) startZebra(t *testing.T, ns namespace) []string {
	t.Helper()
	options := []string{"-S", "--log", "stdout"}
	if f.version == rivals.FRR8 {
		f.dir = t.TempDir()
		return append(options, "-Z")
	}
	if f.dir == "" {
		f.dir = ns.Dir
		err := frrouting.Start(f.version, f.dir, []string{"zebra"}, frrouting.Unconfigured, func(name string, argv ...string) error {
			ns.Spawn(peerNamespace, name, argv...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return options
}

func (f *frr) config(s setup) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("log stdout informational")
	// Without zebra, bgpd knows no address of the other family. If a route-map is configured
	// after its neighbor, it is applied 5 s late.
	p("route-map next-hop permit 10")
	p(" set ip next-hop %s", theirs4)
	p(" set ipv6 next-hop global %s", theirs6)
	p("router bgp 65002")
	p(" bgp router-id 10.99.0.2")
	p(" bgp log-neighbor-changes")
	p(" coalesce-time 0") // otherwise FRR collects updates for up to a second
	p(" no bgp ebgp-requires-policy")
	p(" no bgp network import-check")
	p(" no bgp default ipv4-unicast")
	if s.graceful {
		p(" bgp graceful-restart")
		p(" bgp graceful-restart restart-time 60")
		p(" bgp graceful-restart preserve-fw-state")
	}
	n := " neighbor " + s.ours()
	p("%s remote-as %d", n, s.nvadASN())
	p("%s timers 3 9", n)
	p("%s timers connect 1", n)
	if s.password != "" {
		p("%s password %s", n, s.password)
	}
	if s.ttl {
		p("%s ttl-security hops 1", n)
	}
	if s.twoOctet {
		p("%s dont-capability-negotiate", n)
	}
	if s.passive {
		p("%s passive", n)
	}
	if s.role {
		p("%s local-role customer strict-mode", n)
	}
	p(" address-family ipv4 unicast")
	p("  network 203.0.113.0/24")
	p(" %s activate", n)
	p(" %s route-map next-hop out", n)
	p(" exit-address-family")
	if !s.twoOctet {
		p(" address-family ipv6 unicast")
		p("  network 2001:db8:1::/48")
		p(" %s activate", n)
		p(" %s route-map next-hop out", n)
		p(" exit-address-family")
	}
	return b.String()
}

func (f *frr) vtysh(t *testing.T, ns namespace, command string) string {
	t.Helper()
	return ns.run(frrouting.Vtysh(f.version, f.dir, "-c", command)...)
}

func (f *frr) knows(t *testing.T, ns namespace, prefix string) string {
	family := "ipv4"
	if strings.Contains(prefix, ":") {
		family = "ipv6"
	}
	return f.vtysh(t, ns, "show bgp "+family+" unicast "+prefix)
}

func (f *frr) refresh(t *testing.T, ns namespace) { f.vtysh(t, ns, "clear bgp * in") }

type bird struct {
	version rivals.Rival
	socket  string
}

func (b *bird) rival() rivals.Rival { return b.version }

func (b *bird) start(t *testing.T, ns namespace, s setup) *netbed.Process {
	t.Helper()
	b.socket = ns.Path("bird.ctl")
	_ = os.Remove(b.socket) // left by an earlier one that was killed
	d := ns.Spawn(peerNamespace, "bird", b.version.Command("", b.version.Daemon("bird"), "-f", "-c", ns.Write("bird.conf", b.config(s)),
		"-s", b.socket)...)
	ns.Eventually(10*time.Second, func() error {
		c, err := net.Dial("unix", b.socket)
		if err == nil {
			c.Close()
		}
		return err
	})
	return d
}

func (b *bird) config(s setup) string {
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	p("router id 10.99.0.2; log stderr all; debug protocols { states, events };")
	p("protocol device {}")
	p("protocol static s4 { ipv4; route 203.0.113.0/24 blackhole; }")
	p("protocol static s6 { ipv6; route 2001:db8:1::/48 blackhole; }")
	p("protocol bgp nvad {")
	p("  local %s as 65002; neighbor %s as %d;", s.theirs(), s.ours(), s.nvadASN())
	p("  hold time 9; connect delay time 0; connect retry time 1; error wait time 1, 2; error forget time 1;")
	if s.password != "" {
		p("  password %q;", s.password)
	}
	if s.ttl {
		p("  ttl security on;")
	}
	if s.twoOctet {
		p("  enable as4 off;")
	}
	if s.graceful {
		p("  graceful restart on; graceful restart time 60;")
	}
	if s.passive {
		p("  passive;")
	}
	if s.role {
		p("  local role customer; require roles on;")
	}
	p("  ipv4 { import table; import all; export where source = RTS_STATIC; next hop self; };")
	p("  ipv6 { import table; import all; export where source = RTS_STATIC; next hop address %s; };", theirs6)
	p("}")
	return w.String()
}

func (b *bird) birdc(t *testing.T, ns namespace, command string) string {
	t.Helper()
	return ns.run(b.version.Command("", b.version.Client(), "-s", b.socket, command)...)
}

func (b *bird) knows(t *testing.T, ns namespace, prefix string) string {
	return b.birdc(t, ns, "show route all for "+prefix)
}

func (b *bird) refresh(t *testing.T, ns namespace) { b.birdc(t, ns, "reload in nvad") }
