package config

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// diffCases are edits of hub00-lists.toml, each with the changes that a reload reports.
var diffCases = []struct {
	name, old, new string // replaced in the file
	want           []string
}{
	{"nothing", "# What", "# The", nil},
	{"asn", `asn       = 65001`, `asn       = 65002`, []string{
		"global: asn: 65001 -> 65002 (restart)",
	}},
	{"kernel", "ip-forward = true", "metric = 100", []string{
		"kernel: metric: 20 -> 100 (restart)",
		"kernel: ip-forward: true -> false (live)",
	}},
	{"daemon", "[kernel]", "[daemon]\nlog-level = \"debug\"\nsocket = \"/run/x.sock\"\n[kernel]", []string{
		`daemon: socket: "/run/nvad/nvad.sock" -> "/run/x.sock" (restart)`,
		`daemon: log-level: "info" -> "debug" (live)`,
	}},
	{"drain", "[kernel]", "[drain]\nprepends = 0\nhold = 10\n[kernel]", []string{
		"drain: prepends: 5 -> 0 (soft refresh)",
		"drain: hold: 30 -> 10 (live)",
	}},
	{"azure", "[kernel]", "[azure]\nscheduled-events = true\npoll = \"10m\"\n[kernel]", []string{
		"azure: scheduled-events: false -> true (live)",
		"azure: poll: 0 -> 600 (live)",
	}},
	{"metrics", "[kernel]", "[metrics]\nlisten = [\"127.0.0.1:9179\"]\n[kernel]", []string{
		`metrics: listen: [] -> ["127.0.0.1:9179"] (live)`,
	}},
	{"bmp", "[kernel]", "[[bmp]]\naddress = \"10.0.0.9:1790\"\npolicy = \"pre\"\n[kernel]", []string{
		"bmp 10.0.0.9:1790: added (live)",
	}},
	{"health", "[kernel]", "[health]\nlisten = [\"10.0.0.4:8080\"]\nmin-established = { nva = 1 }\n[kernel]", []string{
		`health: listen: [] -> ["10.0.0.4:8080"] (live)`,
		"health: min-established: {} -> { nva = 1 } (live)",
	}},
	{"tunnel", "vni     = 77", "vni     = 78\nmtu = 1400", []string{
		"tunnel vxlan0: vni: 77 -> 78 (device recreated)",
		"tunnel vxlan0: mtu: 0 -> 1400 (live)",
	}},
	{"tunnel renamed", `"vxlan0"`, `"vxlan1"`, []string{
		"tunnel vxlan1: added (live)",
		"tunnel vxlan0: removed (device recreated)",
	}},
	{"remote", `["10.10.0.4"]`, `["10.10.0.4", "10.10.0.5"]`, []string{
		`tunnel vxlan0: remotes: ["10.10.0.4"] -> ["10.10.0.4", "10.10.0.5"] (live)`,
	}},
	{"nic", "[kernel]", "[[nic]]\ndevice = \"eth1\"\ntable = 101\n[kernel]", []string{"nic eth1: added (live)"}},
	{"static", `via    = "10.0.0.1"`, `via    = "10.0.0.2"`, []string{
		`static-route 10.0.210.0/24: via: "10.0.0.1" -> "10.0.0.2" (live)`,
	}},
	{"nat", "[[static-route]]", "[[masquerade]]\nout = \"bond0\"\n[[dnat]]\nin = \"eth0\"\nto = \"10.1.0.4\"\n[[static-route]]", []string{
		"masquerade bond0: added (live)",
		"dnat in eth0 any: added (live)",
	}},
	{"mss-clamp", "vni     = 77", "vni     = 77\nmss-clamp = \"off\"", []string{
		`tunnel vxlan0: mss-clamp: "auto" -> "off" (live)`,
	}},
	{"timers", "next-hop-self = true", "next-hop-self = true\nhold-time = 30", []string{
		"neighbor 169.254.0.2: hold-time: 180 -> 30 (session reset)",
		"neighbor 169.254.0.2: keepalive: 60 -> 10 (session reset)",
	}},
	{"group import", `{ deny-asns = "reserved" }`, `"accept"`, []string{
		`neighbor 10.0.210.4: import: { deny-asns = "reserved" } -> "accept" (soft refresh)`,
		`neighbor 10.0.210.5: import: { deny-asns = "reserved" } -> "accept" (soft refresh)`,
	}},
	{"neighbor", `address    = "10.0.210.5"`, `address    = "10.0.210.6"`, []string{
		"neighbor 10.0.210.6: added (live)",
		"neighbor 10.0.210.5: removed (session reset)",
	}},
	{"prefix-list", `"deny 10.100.0.0/16", `, "", []string{
		"prefix-list rs-hub00: changed, used by export to 10.0.210.4, export to 10.0.210.5 (soft refresh)",
	}},
	{"as-path-list through the route-map", "permit _65515_", "permit ^65515", []string{
		"as-path-list azure-asns: changed, used by export to 10.0.210.4, export to 10.0.210.5 (soft refresh)",
	}},
	{"unused", "[as-path-list]", "[as-path-list]\nspare = [\"permit _1_\"]", []string{
		"as-path-list spare: added, not in use (live)",
	}},
}

func TestDiff(t *testing.T) {
	hub00, err := os.ReadFile("testdata/good/hub00-lists.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range diffCases {
		t.Run(c.name, func(t *testing.T) {
			edited := strings.Replace(string(hub00), c.old, c.new, 1)
			if edited == string(hub00) {
				t.Fatalf("%q is not in the file", c.old)
			}
			before, err := Parse("nvad.toml", hub00)
			if err != nil {
				t.Fatal(err)
			}
			after, err := Parse("nvad.toml", []byte(edited))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, change := range Diff(before, after) {
				got = append(got, change.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if same := before.Equal(after); same != (len(got) == 0) {
				t.Errorf("Equal is %v with %d changes", same, len(got))
			}
		})
	}
}
