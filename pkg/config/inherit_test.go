package config

import (
	"os"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// What the neighbors of inheritance.toml get from their group, from themselves
// and from their kind.
func TestInheritance(t *testing.T) {
	data, err := os.ReadFile("testdata/good/inheritance.toml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Parse("inheritance.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	accept, deny := policy.Chain{Accept: true}, policy.Chain{}
	reserved := policy.Chain{Accept: true, DenyASNs: policy.Reserved}
	cases := []struct {
		address         string
		hold, keepalive time.Duration
		families        route.Family
		imports, export policy.Chain
		passive, force  bool
		domain          string
	}{
		{"169.254.0.2", 90, 20, route.IPv4, accept, deny, true, true, "d"},
		{"169.254.0.3", 180, 60, route.IPv4, deny, accept, false, false, ""},
		{"169.254.0.4", 180, 20, route.IPv4, deny, deny, true, true, "d"},
		{"10.0.1.4", 9, 3, route.IPv4, reserved, deny, false, false, ""},
		{"fd00::4", 0, 0, route.IPv6, deny, accept, false, false, ""},
		{"10.0.1.6", 180, 59, route.IPv4, deny, deny, false, false, ""},
	}
	for i, c := range cases {
		n := cfg.Neighbors[i]
		if n.Address.String() != c.address || n.HoldTime != c.hold*time.Second || n.Keepalive != c.keepalive*time.Second ||
			n.Families != c.families || n.Import != c.imports || n.Export != c.export ||
			n.Passive != c.passive || n.NextHopSelfForce != c.force || n.Domain != c.domain {
			t.Errorf("got %+v\nwant %+v", n, c)
		}
	}
}
