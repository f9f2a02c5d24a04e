package differential

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/integration/rivals"
)

// TestMultipathRelax compares over which next hops the two daemons share the traffic of
// equally good paths through different neighboring ASes, with and without multipath-relax.
func TestMultipathRelax(t *testing.T) { forFRRs(t, testMultipathRelax) }

func testMultipathRelax(t *testing.T, version rivals.Rival) {
	const first, second, other = "10.255.1.2", "10.255.1.3", "10.255.1.4"
	ip, far := []string{"addr add 10.255.1.1/24 dev eth0"}, []string{}
	var neighbors []gen.Neighbor
	// Two are of one AS. All lead on through another one, so no AS_PATH equals another's.
	for i, n := range []struct {
		address string
		asn     uint32
	}{{first, 64580}, {second, 64580}, {other, 64581}} {
		far = append(far, "addr add "+n.address+"/24 dev eth0")
		address := netip.MustParseAddr(n.address)
		path := []rawbgp.Segment{{Type: rawbgp.Sequence, ASNs: []uint32{n.asn, 65010 + uint32(i)}}}
		neighbors = append(neighbors, gen.Neighbor{
			Name: n.address, ASN: n.asn, Address: address, Self: netip.MustParseAddr("10.255.1.1"),
			Routes: []rawbgp.Route{{Prefix: netip.MustParsePrefix("10.71.0.0/16"), Attrs: &rawbgp.Attrs{Path: path, NextHop: address}}},
		})
	}
	for relax, want := range map[bool]string{false: first + " " + second, true: first + " " + second + " " + other} {
		t.Run(fmt.Sprint(relax), func(t *testing.T) {
			for _, s := range []*side{
				meet(t, startFRR(t, version, newBed(t, ip, far), multipathFRR(neighbors, relax)), neighbors),
				meet(t, startNvad(t, newBed(t, ip, far), multipathNvad(neighbors, relax)), neighbors),
			} {
				lab.Eventually(t, 5*patience, s.settled)
				lab.Eventually(t, 2*patience, func() error {
					if got := s.kernel(t, "bgp")["10.71.0.0/16"]; got != want {
						return fmt.Errorf("%s: traffic goes to %q, want %q", s.name(), got, want)
					}
					return nil
				})
			}
		})
	}
}

func multipathFRR(neighbors []gen.Neighbor, relax bool) string {
	// The lowest router ID is preferred: that of the first neighbor.
	text := "router bgp 65001\n bgp router-id 10.255.1.1\n no bgp ebgp-requires-policy\n bgp bestpath compare-routerid\n coalesce-time 0\n"
	if relax {
		text += " bgp bestpath as-path multipath-relax\n"
	}
	for _, n := range neighbors {
		text += fmt.Sprintf(" neighbor %s remote-as %d\n", n.Address, n.ASN)
	}
	return text
}

func multipathNvad(neighbors []gen.Neighbor, relax bool) string {
	text := fmt.Sprintf("asn = 65001\nrouter-id = \"10.255.1.1\"\n[kernel]\nmultipath-relax = %t\n", relax)
	for _, n := range neighbors {
		text += fmt.Sprintf("[[neighbor]]\naddress = %q\nremote-asn = %d\nimport = \"accept\"\nexport = \"accept\"\n", n.Address, n.ASN)
	}
	return text
}
