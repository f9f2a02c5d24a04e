package differential

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// checkedNetworks are the networks of both files, all with import-check.
var checkedNetworks = []string{
	"10.0.2.0/24", // connected
	"10.3.0.0/16", // another program's
	"10.6.0.0/16", // another program's, which drops packets
	"10.7.0.0/16", // covered by a less specific route only
	"10.8.0.0/16", // learned by BGP only
	"10.9.0.0/16", // static
}

// TestImportCheck compares which networks the two daemons originate while routes come and
// go in the kernel.
func TestImportCheck(t *testing.T) { forFRRs(t, testImportCheck) }

func testImportCheck(t *testing.T, version rivals.Rival) {
	ip := []string{
		"addr add 10.255.1.1/24 dev eth0", "addr add 10.255.4.1/24 dev eth0",
		"link add e2 type veth peer name e2far", "link set e2far up", "link set e2 up", "addr add 10.0.2.1/24 dev e2",
	}
	feeder := gen.Neighbor{Name: "feeder", ASN: 64580, Address: netip.MustParseAddr("10.255.1.2"), Self: netip.MustParseAddr("10.255.1.1")}
	feeder.Routes = announced("10.8.0.0/16", feeder.Address)
	sink := gen.Neighbor{Name: "sink", ASN: 64581, Address: netip.MustParseAddr("10.255.4.2"), Self: netip.MustParseAddr("10.255.4.1")}
	neighbors := []gen.Neighbor{feeder, sink}
	sides := []*side{
		meet(t, startFRR(t, version, newBed(t, ip, beyond), checkedFRR(neighbors)), neighbors),
		meet(t, startNvad(t, newBed(t, ip, beyond), checkedNvad(neighbors)), neighbors),
	}
	connected, foreign, drops, learned, static := checkedNetworks[0], checkedNetworks[1], checkedNetworks[2], checkedNetworks[4], checkedNetworks[5]
	for _, step := range []struct {
		ip   string
		want []string
	}{
		{"route add 10.0.0.0/8 via 10.0.2.9", []string{connected, learned, static}},
		{"route add 10.3.0.0/16 via 10.0.2.9", []string{connected, foreign, learned, static}},
		{"route add unreachable 10.6.0.0/16", []string{connected, foreign, drops, learned, static}},
		{"route del 10.3.0.0/16 via 10.0.2.9", []string{connected, drops, learned, static}},
		// FRR goes on with other programs' routes through a link without carrier; nvad does not.
		{"link set e2far down", []string{drops, learned}},
		{"link set e2far up", []string{connected, drops, learned, static}},
		{"route del unreachable 10.6.0.0/16", []string{connected, learned, static}},
	} {
		for _, s := range sides {
			s.bedOf().Batch(ours, step.ip)
		}
		for _, s := range sides {
			lab.Eventually(t, 2*patience, func() error { return wantOriginated(s, step.ip, step.want) })
		}
	}
}

// wantOriginated wants the sink to be sent the networks of want, except that learned ones
// have the neighbor's AS in their path.
func wantOriginated(s *side, after string, want []string) error {
	var got []string
	for prefix, a := range s.sessions[1].Table() {
		if !slices.Contains(checkedNetworks, prefix.String()) {
			continue
		}
		got = append(got, prefix.String())
		if learned := strings.Contains(a["as-path"], "64580"); learned != (prefix.String() == "10.8.0.0/16") {
			return fmt.Errorf("%s, after %q: %s is sent with %v", s.name(), after, prefix, a)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s, after %q: originates %v, want %v", s.name(), after, got, want)
	}
	return nil
}

func checkedFRR(neighbors []gen.Neighbor) string {
	var w strings.Builder
	fmt.Fprintln(&w, "ip route 10.9.0.0/16 10.0.2.9\nrouter bgp 65001\n bgp router-id 10.255.1.1\n no bgp ebgp-requires-policy\n bgp network import-check\n coalesce-time 0")
	for _, n := range neighbors {
		fmt.Fprintf(&w, " neighbor %s remote-as %d\n neighbor %[1]s advertisement-interval 0\n", n.Address, n.ASN)
	}
	fmt.Fprintln(&w, " address-family ipv4 unicast")
	for _, prefix := range checkedNetworks {
		fmt.Fprintln(&w, "  network", prefix)
	}
	return w.String()
}

func checkedNvad(neighbors []gen.Neighbor) string {
	var w strings.Builder
	fmt.Fprintln(&w, "asn = 65001\nrouter-id = \"10.255.1.1\"\n[[static-route]]\nprefix = \"10.9.0.0/16\"\nvia = \"10.0.2.9\"")
	for _, prefix := range checkedNetworks {
		fmt.Fprintf(&w, "[[network]]\nprefix = %q\nimport-check = true\n", prefix)
	}
	for _, n := range neighbors {
		fmt.Fprintf(&w, "[[neighbor]]\naddress = %q\nremote-asn = %d\nimport = \"accept\"\nexport = \"accept\"\n", n.Address, n.ASN)
	}
	return w.String()
}
