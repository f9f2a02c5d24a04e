package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An expanded configuration does the same without a preset.
func TestExpanded(t *testing.T) {
	for name, data := range goodFiles(t) {
		cfg, err := Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		text := Print(cfg.Expanded(), false)
		again, err := Parse("expanded", text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if strings.Contains(string(text), "preset") {
			t.Errorf("%s: a preset is left:\n%s", name, text)
		}
		if diff := cmp.Diff(cfg.Policies, again.Policies, cmpOptions); diff != "" {
			t.Errorf("%s: policies (-preset +written out)\n%s", name, diff)
		}
		if changes := Diff(cfg, again); changes != nil {
			t.Errorf("%s: the expanded configuration differs: %v", name, changes)
		}
	}
}

const expandedText = `asn = 65001
router-id = "10.0.0.4"

[peer-group.msee]
remote-asn = 12076
bfd = true
maximum-prefix-out = 4000
import = { deny-asns = "reserved" }
export = { as-path-list = "azure-msee" }

[peer-group.rs]
remote-asn = 65515
ebgp-multihop = 255
domain = "ars-10.0.210.0"
maximum-prefix-out = 4000
maximum-prefix-out-count = "current-plus-incoming"
import = { deny-asns = "reserved" }
export = { route-map = "azure-route-server" }

[[neighbor]]
address = "192.168.0.2"
peer-group = "msee"

[[neighbor]]
address = "10.0.210.4"
peer-group = "rs"

[[neighbor]]
address = "10.0.210.5"
peer-group = "rs"

[as-path-list]
azure-msee = ["deny _65515_", "deny _12076_", "permit .*"]
azure-route-server = ["permit _65515_"]

[[route-map.azure-route-server]]
action = "permit"
match = { as-path-list = "azure-route-server" }
set = { as-path-replace = "any" }

[[route-map.azure-route-server]]
action = "permit"
match = { source = "network" }

[[route-map.azure-route-server]]
action = "permit"
match = { source = "aggregate" }
`

// `nvactl config show --expanded` writes the presets out.
func TestExpandedText(t *testing.T) {
	cfg, err := Parse("nvad.toml", []byte(`
asn = 65001
router-id = "10.0.0.4"
[peer-group.rs]
preset = "azure-route-server"
neighbors = ["10.0.210.4", "10.0.210.5"]
[peer-group.msee]
preset = "azure-msee"
neighbors = ["192.168.0.2"]
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expandedText, string(Print(cfg.Expanded(), true))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Both instances of a Route Server share a loop domain; two Route Servers never do.
func TestDerivedDomains(t *testing.T) {
	cfg, err := Parse("nvad.toml", []byte(`
asn = 65001
router-id = "10.0.0.4"
[peer-group.both]
preset = "azure-route-server"
neighbors = ["10.0.210.4", "10.0.210.5", "10.10.210.36", "10.10.210.37"]
[[neighbor]]
address = "10.10.210.68"
peer-group = "both"
domain = "own"
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range cfg.Neighbors {
		got = append(got, n.Domain)
	}
	want := []string{"own", "ars-10.0.210.0", "ars-10.0.210.0", "ars-10.10.210.32", "ars-10.10.210.32"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
