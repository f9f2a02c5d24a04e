package hostile

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// overlayConfig returns the configuration of an NVA with a tunnel and an iBGP neighbor in it.
func overlayConfig(host int, remotes, own, neighbors string, rest ...string) string {
	text := fmt.Sprintf(`asn = 65001
router-id = "10.0.0.%d"
[[tunnel]]
name = "vxlan0"
vni = 77
device = "eth0"
remotes = [%s]
address = %s
%s
`, host, remotes, own, strings.Join(rest, "\n"))
	if neighbors == "" {
		return text
	}
	return text + "[peer-group.nva]\nremote-asn = 65001\nnext-hop-self = true\nneighbors = [" + neighbors + "]\n"
}

// pair starts nvad at both ends of a tunnel and waits for their session.
func pair(t *testing.T, near, far string) *vnet {
	t.Helper()
	v := newVNet(t, nvaHost, farHost, strangerHost)
	v.nvad(nvaHost, overlayConfig(nvaHost, `"`+far+`"`, `"169.254.0.1/24"`, `"169.254.0.2"`))
	v.nvad(farHost, overlayConfig(farHost, `"`+near+`"`, `"169.254.0.2/24"`, `"169.254.0.1"`)+
		"[[static-route]]\nprefix = \"10.55.0.0/16\"\nblackhole = true\n[[network]]\nprefix = \"10.55.0.0/16\"\n")
	return v
}

// impostor tries for some seconds to pose as the NVA's neighbor 169.254.0.2 and to announce a
// route.
func (v *vnet) impostor(h int) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), 3*time.Second)
	defer cancel()
	addr := netip.MustParseAddr
	p := rawbgp.Peer{Local: addr("169.254.0.2"), Remote: addr("169.254.0.1"), ASN: 65001, ID: addr("10.0.0.250"), Dial: lab.DialFrom(v.NS(fmt.Sprint(h)))}
	s, err := p.Connect(ctx)
	if err != nil {
		v.Logf("the stranger gives up: %v", err)
		return
	}
	defer s.Close()
	v.Errorf("host %d is accepted as the neighbor", h)
	attrs := &rawbgp.Attrs{NextHop: addr("169.254.0.2")}
	if err := s.Routes([]rawbgp.Route{{Prefix: netip.MustParsePrefix("10.66.0.0/16"), Attrs: attrs}}); err != nil {
		v.Log(err)
	}
	lab.Eventually(v.T, 5*time.Second, func() error {
		if out := v.host(nvaHost, "ip route show 10.66.0.0/16"); out == "" {
			return fmt.Errorf("and its route is not accepted")
		}
		return nil
	})
	v.Error("and its route is in the kernel")
}

// undisturbed checks that the session is still the same one and the route is still installed.
func (v *vnet) undisturbed(since string) {
	v.Helper()
	if now := v.established("169.254.0.2"); now != since {
		v.Errorf("the session is up since %s, before it was since %s", now, since)
	}
	if out := v.host(nvaHost, "ip route show 10.55.0.0/16"); !strings.Contains(out, "via 169.254.0.2 dev vxlan0") {
		v.Errorf("the neighbor's route is %q", out)
	}
	for _, e := range v.tunnel().FDB {
		if strings.HasSuffix(e.Remote, fmt.Sprint(strangerHost)) {
			v.Errorf("the device leads %s to the stranger", e.MAC)
		}
	}
}

// A third host of the VNet creates a device with the tunnel's VNI and the neighbor's address.
func TestOverlayStranger(t *testing.T) {
	for name, ends := range map[string][2]string{"IPv4": {"10.0.0.4", "10.0.0.5"}, "IPv6": {"fd00::4", "fd00::5"}} {
		t.Run(name, func(t *testing.T) {
			v := pair(t, ends[0], ends[1])
			since := v.established("169.254.0.2")
			v.vxlan(strangerHost, 77, ends[0], "169.254.0.2/24")
			v.impostor(strangerHost)
			v.dropped("outer source is no remote")
			v.undisturbed(since)
			if err := v.ping(strangerHost, "169.254.0.2", "169.254.0.1"); err == nil {
				t.Error("the stranger gets an answer")
			}
			v.host(strangerHost, "ip link del vxlan0")
			v.vxlan(strangerHost, 78, ends[0], "169.254.0.2/24")
			_ = v.ping(strangerHost, "169.254.0.2", "169.254.0.1")
			v.dropped("no tunnel has this VNI")
			v.undisturbed(since)
		})
	}
}

// The stranger uses the neighbor's address on the underlay, without a tunnel.
func TestOverlayFromUnderlay(t *testing.T) {
	v := pair(t, "10.0.0.4", "10.0.0.5")
	since := v.established("169.254.0.2")
	v.host(strangerHost, "ip addr add 169.254.0.2/32 dev eth0")
	v.host(strangerHost, "ip route add 169.254.0.1 via 10.0.0.4 dev eth0 src 169.254.0.2")
	v.impostor(strangerHost)
	v.dropped("tunnel's address from outside the tunnel")
	v.undisturbed(since)
}

// A packet out of the tunnel may not have a source address of the platform, of the NVA itself,
// or a link-local one. The far end is a plain device that sends whatever it likes.
func TestOverlayInnerSources(t *testing.T) {
	v := newVNet(t, nvaHost, farHost)
	v.nvad(nvaHost, overlayConfig(nvaHost, `"10.0.0.5"`, `["169.254.0.1/24", "fd77::1/64"]`, ""))
	v.vxlan(farHost, 77, "10.0.0.4", "169.254.0.2/24", "fd77::2/64")
	lab.Eventually(t, 10*time.Second, func() error { return v.ping(farHost, "169.254.0.2", "169.254.0.1") })
	lab.Eventually(t, 10*time.Second, func() error { return v.ping(farHost, "fd77::2", "fd77::1") })
	v.host(nvaHost, "ip addr add 10.98.0.4/32 dev lo")
	v.host(nvaHost, "ip addr add fd98::4/128 dev lo")
	for source, reason := range map[string]string{
		"169.254.169.254": "inner source is Azure's platform address",
		"168.63.129.16":   "inner source is Azure's platform address",
		"10.98.0.4":       "inner source is this NVA's address",
		"fd98::4":         "inner source is this NVA's address",
		"169.254.9.9":     "inner source is a foreign link-local address",
	} {
		length, target := 32, "169.254.0.1"
		if strings.Contains(source, ":") {
			length, target = 128, "fd77::1"
		}
		before := v.tunnel().count(reason)
		v.host(farHost, "ip addr add %s/%d dev lo", source, length)
		lab.Eventually(t, 10*time.Second, func() error { // the first ping may be lost to neighbor discovery
			if err := v.ping(farHost, source, target); err == nil {
				t.Errorf("%s is answered", source)
			}
			if v.tunnel().count(reason) <= before {
				return fmt.Errorf("%s is not counted as %q", source, reason)
			}
			return nil
		})
	}
	// A priority tag moves the IP header, so that a filter that looks for it at the usual
	// place misses it. The kernel accepts the packet all the same.
	v.frame(farHost, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x81\x00\x00\x00\x08\x00"+strings.Repeat("\x00", 46))
	v.dropped("neither IP nor ARP inside")
	if err := v.ping(farHost, "169.254.0.2", "169.254.0.1"); err != nil {
		t.Error(err)
	}
}

// One remote of a shared tunnel uses the IP and MAC address of another.
func TestOverlaySharedTunnel(t *testing.T) {
	v := newVNet(t, nvaHost, farHost, thirdHost)
	v.nvad(nvaHost, overlayConfig(nvaHost, `"10.0.0.5", "10.0.0.6"`, `["169.254.0.1/24", "fd77::1/64"]`, `"169.254.0.2", "169.254.0.3"`,
		`peers = ["10.0.0.5=169.254.0.2", "10.0.0.5=fd77::2", "10.0.0.6=169.254.0.3", "10.0.0.6=fd77::3"]`))
	v.nvad(farHost, overlayConfig(farHost, `"10.0.0.4"`, `["169.254.0.2/24", "fd77::2/64"]`, `"169.254.0.1"`)+
		"[[static-route]]\nprefix = \"10.55.0.0/16\"\nblackhole = true\n[[network]]\nprefix = \"10.55.0.0/16\"\n")
	v.vxlan(thirdHost, 77, "10.0.0.4", "169.254.0.3/24", "fd77::3/64")
	since := v.established("169.254.0.2")
	lab.Eventually(t, 10*time.Second, func() error { return v.ping(thirdHost, "169.254.0.3", "169.254.0.1") })
	lab.Eventually(t, 10*time.Second, func() error { return v.ping(nvaHost, "fd77::1", "fd77::2") })
	known := func() string {
		mac := strings.Fields(v.host(nvaHost, "ip neigh show 169.254.0.2 dev vxlan0"))[2]
		six := strings.Fields(v.host(nvaHost, "ip neigh show fd77::2 dev vxlan0"))[2]
		for _, e := range v.tunnel().FDB {
			if e.MAC == mac {
				return mac + " " + six + " at " + e.Remote
			}
		}
		return mac + " nowhere"
	}
	before := known()
	mac, _, _ := strings.Cut(before, " ")

	t.Log("its address, announced by gratuitous ARP, by unsolicited advertisement, and in packets")
	v.host(thirdHost, "sysctl -qw net.ipv4.conf.vxlan0.arp_notify=1 net.ipv6.conf.vxlan0.ndisc_notify=1")
	v.host(thirdHost, "ip addr add 169.254.0.2/24 dev vxlan0")
	v.host(thirdHost, "ip addr add fd77::2/64 dev vxlan0 nodad")
	v.host(thirdHost, "ip link set vxlan0 address 02:00:00:00:00:66")
	v.impostor(thirdHost)
	_ = v.ping(thirdHost, "fd77::2", "fd77::1")
	v.dropped("inner address of another remote")
	if after := known(); after != before {
		t.Errorf("the neighbor is %s, was %s", after, before)
	}

	t.Log("its MAC address")
	v.host(thirdHost, "ip addr del 169.254.0.2/24 dev vxlan0")
	v.host(thirdHost, "ip addr del fd77::2/64 dev vxlan0")
	v.host(thirdHost, "ip link set vxlan0 address %s", mac)
	for range 3 {
		_ = v.ping(thirdHost, "169.254.0.3", "169.254.0.1")
	}
	if after := known(); after != before {
		t.Errorf("the neighbor is %s, was %s", after, before)
	}
	for _, a := range [][2]string{{"169.254.0.1", "169.254.0.2"}, {"fd77::1", "fd77::2"}} {
		if err := v.ping(nvaHost, a[0], a[1]); err != nil {
			t.Error(err)
		}
	}
	v.undisturbed(since)
}

// answers waits until pings from inside a host's tunnel are answered, or are not.
func (v *vnet) answers(h int, want bool) {
	v.Helper()
	v.Eventually(10*time.Second, func() error {
		if err := v.ping(h, fmt.Sprintf("169.254.0.%d", h), "169.254.0.1"); (err == nil) != want {
			return fmt.Errorf("host %d gets answers: %t, want %t (%v)", h, err == nil, want, err)
		}
		return nil
	})
}

// The guards are restored when another program removes them, follow a reload, and are removed
// together with everything else. Another program's VXLAN on the same port keeps working.
func TestOverlayGuardsStay(t *testing.T) {
	v := newVNet(t, nvaHost, farHost, thirdHost)
	one := overlayConfig(nvaHost, `"10.0.0.5"`, `"169.254.0.1/24"`, "")
	v.nvad(nvaHost, one)
	for _, h := range []int{farHost, thirdHost} {
		v.vxlan(h, 77, "10.0.0.4", fmt.Sprintf("169.254.0.%d/24", h))
	}
	table := func(want bool) {
		t.Helper()
		lab.Eventually(t, 10*time.Second, func() error {
			out, err := netbed.Try(v.Command(fmt.Sprint(nvaHost), "nft", "list", "chain", "inet", "nvad", "underlay"))
			if (err == nil && strings.Contains(out, "jump underlay-1")) != want {
				return fmt.Errorf("chain underlay is %q", out)
			}
			return nil
		})
	}
	v.answers(farHost, true)
	v.answers(thirdHost, false)
	for _, cmd := range []string{"delete table inet nvad", "flush table inet nvad", "flush ruleset", "flush chain inet nvad underlay-1"} {
		v.host(nvaHost, "nft %s", cmd)
		table(true)
		v.answers(thirdHost, false)
	}

	v.configure(nvaHost, overlayConfig(nvaHost, `"10.0.0.5", "10.0.0.6"`, `"169.254.0.1/24"`, ""))
	v.nvactl("reload")
	v.answers(thirdHost, true)
	v.configure(nvaHost, one)
	v.nvactl("reload")
	v.answers(thirdHost, false)
	v.answers(farHost, true)
	for _, e := range v.tunnel().FDB {
		if e.Remote == "10.0.0.6" {
			t.Errorf("the device still leads %s to a removed remote", e.MAC)
		}
	}

	for h, remote := range map[int]string{nvaHost: "10.0.0.6", thirdHost: "10.0.0.4"} {
		v.host(h, "ip link add other type vxlan id 5 dev eth0 remote %s dstport 4789", remote)
		v.host(h, "ip addr add 10.88.0.%d/24 dev other", h)
		v.host(h, "ip link set other up")
	}
	lab.Eventually(t, 10*time.Second, func() error { return v.ping(thirdHost, "10.88.0.6", "10.88.0.4") })
	v.answers(thirdHost, false)

	v.nvactl("stop --flush")
	lab.Eventually(t, 20*time.Second, func() error {
		if left := v.host(nvaHost, "nft list tables") + v.host(nvaHost, "ip -o link show type vxlan"); strings.Contains(left, "nvad") || !strings.Contains(left, "other") {
			return fmt.Errorf("left is %s", left)
		}
		return nil
	})
}
