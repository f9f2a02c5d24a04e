package frrconf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/policy"
)

// TestVersion checks whose defaults apply to an eBGP neighbor without policy and to a
// network: those of the file's version, of the one that the caller names, or of the one that
// the commands show; and that an assumption and its effect come first.
func TestVersion(t *testing.T) {
	const network = "network 10.0.0.0/8\n"
	tests := []struct {
		name, head, tail, version string
		old                       bool
		told                      string // in the first leftover; empty: nothing of it
	}{
		{"new file", "frr version 8.4.4\n", network, "", false, ""},
		{"old file", "frr version 7.3.1\n", network, "", true, ""},
		{"very old file", "frr version 4.0+cl3u10\n", network, "", true, ""},
		{"file before flag", "frr version 8.4.4\n", network, "7.3", false, ""},
		{"flag", "", network, "7.3", true, ""},
		{"flag quagga", "", network, "quagga", true, ""},
		{"new flag", "ip community-list standard A permit 1:1\n", network, "8.4", false, ""},
		{"unknown version", "frr version git\n", network, "", false, "FRR 8.4 is assumed"},
		{"nothing shows", "", network, "", false, "FRR 8.4 is assumed: eBGP neighbors (10.0.0.9) exchange no routes"},
		{"as-path", "ip as-path access-list A permit .*\n", network, "", true, "Quagga or FRR before 7.4 is assumed because of line 1: eBGP neighbors (10.0.0.9) exchange all routes"},
		{"as-path behind", "", network + "exit\nip as-path access-list A permit .*\n", "", true, "because of line 5"},
		{"community", "ip community-list 10 permit 1:1\n", network, "", true, "because of line 1"},
		{"large", "ip large-community-list standard A permit 1:1:1\n", network, "", true, "because of line 1"},
		{"extended", "ip extcommunity-list standard A permit rt 1:1\n", network, "", true, "because of line 1"},
		{"sample", "hostname bgpd\n", network, "", true, "because of line 1"},
		{"machine", "hostname nva-bgpd\n", network, "", false, "FRR 8.4 is assumed"},
		{"instances", "bgp multiple-instance\n", network, "", true, "because of line 1"},
		{"log", "log file /var/log/quagga/bgpd.log\n", network, "", true, "because of line 1"},
		{"saved without version", "!\n! Zebra configuration saved from vty\n!\n", network, "", true, "because of line 2"},
		{"saved with version", "! Zebra configuration saved from vty\nfrr version 8.4\n", network, "", false, ""},
		{"current form", "bgp as-path access-list A permit .*\n", network, "", false, "FRR 8.4 is assumed"},
		{"networks alone", "", network + "neighbor 10.0.0.9 route-map A in\nneighbor 10.0.0.9 route-map A out\n", "", false,
			"assumed: networks are originated only while there is a route to them"},
		{"networks of old", "bgp multiple-instance\n", network + "bgp ebgp-requires-policy\n", "", true, "networks are originated without a route"},
		{"all said", "", network + "no bgp ebgp-requires-policy\nno bgp network import-check\n", "", true, "no difference here"},
		{"no effect", "", "neighbor 10.0.0.9 route-map A in\nneighbor 10.0.0.9 prefix-list A out\n", "", false, "no difference here"},
		{"profile", "frr defaults datacenter\n", "", "", true, "no difference here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{FRR: []byte(tt.head + bgpHead + tt.tail), FRRVersion: tt.version, RouterID: netip.MustParseAddr("10.0.0.4")}
			accounted(t, in)
			cfg, left, err := Convert(in)
			if err != nil {
				t.Fatal(err)
			}
			rendered(t, cfg, left)
			said := strings.Contains(tt.tail, "\nbgp ebgp") || strings.Contains(tt.tail, "neighbor")
			if n := cfg.Neighbors[0]; !said && n.Import != (policy.Chain{Accept: tt.old}) {
				t.Errorf("import is %+v", n.Import)
			}
			first := ""
			if len(left) > 0 && strings.Contains(left[0].Reason, "is assumed") {
				first = left[0].Reason
			}
			if (tt.told == "") != (first == "") || !strings.Contains(first, tt.told) {
				t.Errorf("the first leftover is %q, want %q", first, tt.told)
			}
		})
	}
}

// TestEnforceFirstAS checks the default since 9.1: the neighbor's ASN must be at the front of
// the path.
func TestEnforceFirstAS(t *testing.T) {
	for text, want := range map[string]bool{
		"frr version 8.4.4\n" + bgpHead: false, "frr version 9.0\n" + bgpHead: false, "frr version 9.1\n" + bgpHead: true,
		"frr version 10.3\n" + bgpHead: true, "frr version git\n" + bgpHead: false, bgpHead: false,
		"frr version 10.3\n" + bgpHead + "no bgp enforce-first-as\n":               false,
		"frr version 10.3\n" + bgpHead + "no neighbor 10.0.0.9 enforce-first-as\n": false,
		"frr version 8.4.4\n" + bgpHead + "neighbor 10.0.0.9 enforce-first-as\n":   true,
	} {
		if cfg, _ := convert(t, text); cfg.Neighbors[0].EnforceFirstAS != want {
			t.Errorf("%q: enforce-first-as is not %v", text, want)
		}
	}
}

// TestVersionByName checks that the name of a file of Quagga shows its release.
func TestVersionByName(t *testing.T) {
	for name, old := range map[string]bool{"/etc/quagga/bgpd.conf": true, "bgpd.conf": true, "/etc/quagga/Quagga.conf": true, "/etc/frr/frr.conf": false, "": false} {
		cfg, left, err := Convert(Input{FRR: []byte(bgpHead), FRRName: name})
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Neighbors[0].Import.Accept; got != old || strings.Contains(text(left), "because of the file's name") != old {
			t.Errorf("%s: accepts: %v, want %v\n%s", name, got, old, text(left))
		}
	}
}
