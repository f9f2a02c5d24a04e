package scenarios

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestVXLANMulticast: three hosts find each other through the group, and nvad shows which host
// is behind which remote. The article's author could not find that out.
func TestVXLANMulticast(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "vxlan-multicast")
	show(t, l)
	t.Run("device", func(t *testing.T) {
		link := step(t, l, "vyos01# ip -d link show vxlan0")
		for _, want := range []string{"vxlan id 42 group 239.1.1.1 dev eth1", "ttl 16 ", "mtu 1450"} {
			if !strings.Contains(link, want) {
				t.Errorf("no %q in\n%s", want, link)
			}
		}
	})
	t.Run("everyone to everyone", func(t *testing.T) {
		hosts := map[string]string{"vyos01": "10.0.1.254", "vyos02": "10.0.1.253", "ubuntu": "10.0.1.1"}
		for from := range hosts {
			for to, addr := range hosts {
				if out := step(t, l, fmt.Sprintf("%s# ping -q -c 5 -i 0.02 -W 1 %s", from, addr)); !strings.Contains(out, " 0% packet loss") {
					t.Errorf("%s to %s:\n%s", from, to, out)
				}
			}
		}
	})
	t.Run("forwarding database", func(t *testing.T) { testForwardingDatabase(t, l) })
	t.Run("learned anew", func(t *testing.T) { testLearnedAnew(t, l) })
}

// testForwardingDatabase compares nvactl's output on vyos01 with what the article shows for
// its Ubuntu host, and with what it could not find out.
func testForwardingDatabase(t *testing.T, l *lab.Lab) {
	ubuntu := step(t, l, "ubuntu# bridge fdb show dev vxlan0")
	for _, want := range []string{
		`(?m)^00:00:00:00:00:00 dst 239\.1\.1\.1 via eth1 self permanent`,
		`(?m)^` + mac(t, l, "vyos02") + ` dst 10\.0\.2\.253 self`,
		`(?m)^` + mac(t, l, "vyos01") + ` dst 10\.0\.2\.254 self`,
	} {
		expect(t, ubuntu, want)
	}
	lab.Eventually(t, 5*time.Second, func() error { return told(t, l) })
	text := step(t, l, "vyos01# nvactl tunnels vxlan0")
	for _, want := range []string{
		`Tunnel vxlan0, VNI 42`,
		`MTU +1450`,
		`Underlay +10\.0\.2\.254 dev eth1, UDP port 8472`,
		`Group +239\.1\.1\.1`,
		`Learned +10\.0\.2\.1, 10\.0\.2\.253`,
		`Received +[1-9][0-9]* packets`,
		`Sent +[1-9][0-9]* packets`,
		`00:00:00:00:00:00 +239\.1\.1\.1 +permanent +all unknown destinations`,
	} {
		expect(t, text, want)
	}
}

// told returns an error unless nvactl on vyos01 names both other hosts.
func told(t *testing.T, l *lab.Lab) error {
	text := step(t, l, "vyos01# nvactl tunnels vxlan0")
	for host, want := range map[string]string{
		"vyos02": ` +10\.0\.2\.253 +learned +[0-9]+ s +10\.0\.1\.253`,
		"ubuntu": ` +10\.0\.2\.1 +learned +[0-9]+ s +10\.0\.1\.1`,
	} {
		if !regexp.MustCompile(mac(t, l, host) + want).MatchString(text) {
			return fmt.Errorf("%s is missing in\n%s", host, text)
		}
	}
	return nil
}

// testLearnedAnew: learned entries may be deleted. The next packet finds its destination
// through the group again.
func testLearnedAnew(t *testing.T, l *lab.Lab) {
	step(t, l, "vyos01# bridge fdb del "+mac(t, l, "ubuntu")+" dev vxlan0 dst 10.0.2.1")
	step(t, l, "vyos01# ping -c 1 -W 2 10.0.1.1")
	lab.Eventually(t, 5*time.Second, func() error { return told(t, l) })
}

// mac returns the hardware address of a host's tunnel.
func mac(t *testing.T, l *lab.Lab, host string) string {
	t.Helper()
	return strings.TrimSpace(step(t, l, host+"# cat /sys/class/net/vxlan0/address"))
}

func expect(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(text) {
		t.Errorf("no %q in\n%s", pattern, text)
	}
}
