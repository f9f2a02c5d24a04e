package failover

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTunnelFailover makes the neighbor at the far end of the preferred one of two VXLAN
// tunnels fail under traffic: either the iBGP session is lost, or BFD detects the failure.
func TestTunnelFailover(t *testing.T) {
	const interval = 100 * time.Millisecond
	s := newTunnels(t, 1000, interval)
	s.load()
	for _, f := range failures {
		if f.needs != nil && f.name != "silent death" {
			continue
		}
		r := s.measure(f, traffic{flows: 100, rate: 20_000, limit: 3 * shortLimit})
		if r.Worst() > shortLimit || r.Open > 0 {
			t.Errorf("%s: an outage of %v, %d flows did not return", f.name, r.Worst(), r.Open)
		}
		s.a.connect()
		s.settle()
	}
}

// newTunnels creates a scene whose NVAs are each reached over their own VXLAN tunnel, with
// iBGP and BFD inside.
func newTunnels(t *testing.T, routes int, interval time.Duration) *scene {
	t.Helper()
	s := layScene(t, nvadDaemon, routes, interval)
	config := []string{fmt.Sprintf("asn = %d\nrouter-id = %q\n[kernel]\nip-forward = true", dutASN, dutID)}
	for i, v := range []*nva{s.a, s.b} {
		n := i + 1
		s.IP(v.name, fmt.Sprintf("link add vxlan0 type vxlan id %d remote 10.%[2]d.0.1 local 10.%[2]d.0.2 dev dut dstport 4789", 70+n, n))
		s.IP(v.name, fmt.Sprintf("addr add 169.254.%d.2/24 dev vxlan0", n))
		s.IP(v.name, "link set vxlan0 up")
		v.device, v.asn = "vxlan0", dutASN
		v.address, v.remote = addr(fmt.Sprintf("169.254.%d.2", n)), addr(fmt.Sprintf("169.254.%d.1", n))
		v.routes = announcement(block, routes, pathOf(v.address, 65100, n))
		config = append(config, fmt.Sprintf(`[[tunnel]]
name = "vxlan%[1]d"
vni = 7%[1]d
device = "nva%[1]d"
remotes = ["10.%[1]d.0.2"]
address = "169.254.%[1]d.1/24"
[[neighbor]]
address = "169.254.%[1]d.2"
remote-asn = %[2]d
maximum-prefix = 0
import = "accept"
export = "deny"
bfd = { min-tx = %[3]d, min-rx = %[3]d }`, n, dutASN, interval.Milliseconds()))
		v.answerBFD(interval)
	}
	s.Write("nvad.toml", strings.Join(config, "\n")+"\n")
	s.daemon.start(s.bed)
	return s
}
