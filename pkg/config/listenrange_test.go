package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/route"
)

const rangesText = `asn = 65001
router-id = "10.0.0.4"
[peer-group.wide]
remote-asn = "external"
import = "accept"
export = "accept"
listen-range = ["10.0.0.0/8", "fd00::/64"]
[peer-group.narrow]
remote-asn = "internal"
listen-range = ["10.1.0.0/24"]
listen-limit = 5
[[neighbor]]
address = "10.1.0.9"
remote-asn = 65010
import = "accept"
export = "accept"
`

func parseRanges(t *testing.T, change ...string) *Config {
	t.Helper()
	cfg, err := Parse("nvad.toml", []byte(strings.NewReplacer(change...).Replace(rangesText)))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The longest range decides, a configured neighbor is none of it, and each dynamic neighbor
// is passive and has what a neighbor of the group would have.
func TestDynamic(t *testing.T) {
	cfg := parseRanges(t)
	for address, want := range map[string]string{
		"10.1.0.8":  "narrow 65001 ipv4 unicast accept",
		"10.1.1.8":  "wide 0 ipv4 unicast accept",
		"fd00::8":   "wide 0 ipv6 unicast accept",
		"10.1.0.9":  "", // configured
		"192.0.2.1": "",
	} {
		n, ok := cfg.Dynamic(netip.MustParseAddr(address))
		got := ""
		if ok {
			got = fmt.Sprint(n.PeerGroup, " ", n.RemoteASN, " ", n.Families, " ", n.Import)
			if !n.Passive || n.Address.String() != address || !n.Range.Contains(n.Address) || n.Families == route.Family(0) {
				t.Errorf("%s: %+v", address, n)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func TestDiffRanges(t *testing.T) {
	cases := map[string][]string{
		"listen-limit = 5|listen-limit = 6":     {"listen-range 10.1.0.0/24: listen-limit: 5 -> 6 (live)"},
		`"10.0.0.0/8", |`:                       {"listen-range 10.0.0.0/8: removed (session reset)"},
		`"10.0.0.0/8"|"10.0.0.0/9"`:             {"listen-range 10.0.0.0/9: added (live)", "listen-range 10.0.0.0/8: removed (session reset)"},
		"listen-limit = 5|hold-time = 30":       {"listen-range 10.1.0.0/24: listen-limit: 5 -> 100 (live)", "listen-range 10.1.0.0/24: hold-time: 180 -> 30 (session reset)", "listen-range 10.1.0.0/24: keepalive: 60 -> 10 (session reset)"},
		`listen-limit = 5|import = "deny"` + "": {"listen-range 10.1.0.0/24: listen-limit: 5 -> 100 (live)", `listen-range 10.1.0.0/24: import: "accept" -> "deny" (soft refresh)`},
	}
	for change, want := range cases {
		from, to, _ := strings.Cut(change, "|")
		var got []string
		for _, c := range Diff(parseRanges(t), parseRanges(t, from, to)) {
			got = append(got, c.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", change, diff)
		}
	}
}
