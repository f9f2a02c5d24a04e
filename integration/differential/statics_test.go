package differential

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/integration/rivals"
)

// distances lists static routes of both files: prefix, gateway and administrative distance.
// Several lines for one prefix and distance are one route in nvad.toml.
var distances = [][3]string{
	{"10.61.0.0/16", "10.0.2.2", "1"}, {"10.61.0.0/16", "10.0.3.2", "1"}, // ECMP
	{"10.62.0.0/16", "10.0.2.2", "250"},                                    // below all of BGP
	{"10.63.0.0/16", "10.0.2.2", "20"},                                     // as high as eBGP
	{"10.64.0.0/16", "10.0.2.2", "100"},                                    // below eBGP
	{"10.65.0.0/16", "10.0.2.2", "1"}, {"10.65.0.0/16", "10.0.3.2", "250"}, // below a static route
	{"10.66.0.0/16", "10.0.2.2", "250"}, // below another program's
	{"10.67.0.0/16", "10.0.2.2", "100"}, {"10.67.0.0/16", "10.0.3.2", "150"},
}

// TestDistance compares what the two daemons install of static routes with several next
// hops and with distances, while links and BGP routes come and go.
func TestDistance(t *testing.T) { forFRRs(t, testDistance) }

func testDistance(t *testing.T, version rivals.Rival) {
	ip := []string{"addr add 10.255.1.1/24 dev eth0"}
	for _, n := range []string{"2", "3"} {
		ip = append(ip, "link add e"+n+" type veth peer name far"+n, "link set far"+n+" up", "link set e"+n+" up", "addr add 10.0."+n+".1/24 dev e"+n)
	}
	ip = append(ip, "route add 10.66.0.0/16 via 10.0.3.9 proto static metric 100")
	feeder := gen.Neighbor{Name: "feeder", ASN: 64580, Address: netip.MustParseAddr("10.255.1.2"), Self: netip.MustParseAddr("10.255.1.1")}
	neighbors := []gen.Neighbor{feeder}
	sides := []*side{
		meet(t, startFRR(t, version, newBed(t, ip, beyond), distancesFRR(feeder)), neighbors),
		meet(t, startNvad(t, newBed(t, ip, beyond), distancesNvad(feeder)), neighbors),
	}
	var routes []rawbgp.Route
	var prefixes []netip.Prefix
	for _, prefix := range []string{"10.62.0.0/16", "10.63.0.0/16", "10.64.0.0/16", "10.66.0.0/16", "10.67.0.0/16"} {
		routes, prefixes = append(routes, announced(prefix, feeder.Address)...), append(prefixes, netip.MustParsePrefix(prefix))
	}
	const bgp, both = "bgp 10.255.1.2", "static 10.0.2.2 10.0.3.2"
	alone := map[string]string{"61": both, "62": "static 10.0.2.2", "63": "static 10.0.2.2", "64": "static 10.0.2.2", "65": "static 10.0.2.2", "67": "static 10.0.2.2"}
	beside := map[string]string{"61": both, "62": bgp, "63": "static 10.0.2.2", "64": bgp, "65": "static 10.0.2.2", "67": bgp}
	for i, step := range []struct {
		what, ip string
		bgp      func(*rawbgp.Session) error
		want     map[string]string
	}{
		{what: "alone", want: alone},
		{what: "beside BGP", bgp: func(s *rawbgp.Session) error { return s.Routes(routes) }, want: beside},
		{what: "e2 has no carrier", ip: "link set far2 down", want: map[string]string{
			"61": "static 10.0.3.2", "62": bgp, "63": bgp, "64": bgp, "65": "static 10.0.3.2", "67": bgp}},
		// From here on nvad alone: FRR 8.4 puts neither the second next hop of the first route
		// back, nor the static route whose distance is that of eBGP.
		{what: "e2 has a carrier again", ip: "link set far2 up", want: beside},
		{what: "BGP is gone", bgp: func(s *rawbgp.Session) error { return s.Withdraw(prefixes...) }, want: alone},
		{what: "e2 has no carrier and BGP is gone", ip: "link set far2 down", want: map[string]string{
			"61": "static 10.0.3.2", "65": "static 10.0.3.2", "67": "static 10.0.3.2"}},
	} {
		for _, s := range sides {
			if step.ip != "" {
				s.bedOf().Batch(ours, step.ip)
			}
			if step.bgp != nil {
				if err := step.bgp(s.sessions[0]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if i == 3 {
			sides = sides[1:]
		}
		for _, s := range sides {
			lab.Eventually(t, 2*patience, func() error { return wantInstalled(t, s, step.what, step.want) })
		}
	}
}

// wantInstalled wants the routes in the kernel by the second octet of their prefix.
func wantInstalled(t *testing.T, s *side, after string, want map[string]string) error {
	static := "196"
	if s.name() == "nvad" {
		static = "200"
	}
	got := map[string]string{}
	for name, protocol := range map[string]string{"bgp": "bgp", "static": static} {
		for prefix, hops := range s.kernel(t, protocol) {
			if rest, ok := strings.CutPrefix(prefix, "10.6"); ok {
				got["6"+rest[:1]] += name + " " + hops
			}
		}
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("%s, %s: the kernel has %v, want %v", s.name(), after, got, want)
	}
	return nil
}

func distancesFRR(feeder gen.Neighbor) string {
	var w strings.Builder
	for _, d := range distances {
		fmt.Fprintf(&w, "ip route %s %s %s\n", d[0], d[1], d[2])
	}
	fmt.Fprintln(&w, "router bgp 65001\n bgp router-id 10.255.1.1\n no bgp ebgp-requires-policy\n coalesce-time 0")
	fmt.Fprintf(&w, " neighbor %s remote-as %d\n", feeder.Address, feeder.ASN)
	return w.String()
}

func distancesNvad(feeder gen.Neighbor) string {
	var w strings.Builder
	fmt.Fprintln(&w, "asn = 65001\nrouter-id = \"10.255.1.1\"")
	for i, d := range distances {
		gateways := fmt.Sprintf("%q", d[1])
		if i > 0 && d[0] == distances[i-1][0] && d[2] == distances[i-1][2] {
			continue
		}
		if i+1 < len(distances) && d[0] == distances[i+1][0] && d[2] == distances[i+1][2] {
			gateways += fmt.Sprintf(", %q", distances[i+1][1])
		}
		fmt.Fprintf(&w, "[[static-route]]\nprefix = %q\nvia = [%s]\ndistance = %s\n", d[0], gateways, d[2])
	}
	fmt.Fprintf(&w, "[[neighbor]]\naddress = %q\nremote-asn = %d\nimport = \"accept\"\nexport = \"accept\"\n", feeder.Address, feeder.ASN)
	return w.String()
}
