package sdn

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestEffective(t *testing.T) {
	learn := func(prefix, hop string, source Source, length int) Learned {
		return Learned{netip.MustParsePrefix(prefix), []netip.Addr{netip.MustParseAddr(hop)}, source, length}
	}
	for _, tc := range []struct {
		name       string
		preference Preference
		learned    []Learned
		want       string
	}{
		{name: "system routes only"},
		{
			name:    "supernet of the VNet",
			learned: []Learned{learn("10.0.0.0/8", "10.0.0.4", NVA, 1)},
			want:    "10.0.0.0/8 10.0.0.4",
		},
		{
			name: "equal to or longer than VNet and peering",
			learned: []Learned{
				learn("10.0.0.0/16", "10.0.0.4", NVA, 1), learn("10.0.1.0/24", "10.0.0.4", NVA, 1),
				learn("10.10.0.0/16", "10.0.0.4", NVA, 1), learn("10.10.9.0/24", "10.0.0.4", NVA, 1),
			},
		},
		{
			name:    "equal lengths share",
			learned: []Learned{learn("10.5.0.0/16", "10.0.0.6", NVA, 2), learn("10.5.0.0/16", "10.0.0.4", NVA, 2)},
			want:    "10.5.0.0/16 10.0.0.4 10.0.0.6",
		},
		{
			name:    "both instances learned it",
			learned: []Learned{learn("10.5.0.0/16", "10.0.0.4", NVA, 2), learn("10.5.0.0/16", "10.0.0.4", NVA, 2)},
			want:    "10.5.0.0/16 10.0.0.4",
		},
		{
			name:    "shorter path wins",
			learned: []Learned{learn("10.5.0.0/16", "10.0.0.6", NVA, 1), learn("10.5.0.0/16", "10.0.0.4", NVA, 2)},
			want:    "10.5.0.0/16 10.0.0.6",
		},
		{
			name:    "ExpressRoute wins",
			learned: []Learned{learn("10.5.0.0/16", "10.2.1.1", Gateway, 5), learn("10.5.0.0/16", "10.0.0.4", NVA, 1)},
			want:    "10.5.0.0/16 10.2.1.1",
		},
		{
			name:       "path length wins where it is preferred",
			preference: PreferASPath,
			learned:    []Learned{learn("10.5.0.0/16", "10.2.1.1", Gateway, 5), learn("10.5.0.0/16", "10.0.0.4", NVA, 1)},
			want:       "10.5.0.0/16 10.0.0.4",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			routes := Effective(Config{
				Prefix:     netip.MustParsePrefix("10.0.0.0/16"),
				Peerings:   []Peering{{"hub10", netip.MustParsePrefix("10.10.0.0/16")}},
				Preference: tc.preference,
			}, tc.learned)
			if text(routes[:2]) != "10.0.0.0/16 | 10.10.0.0/16" {
				t.Errorf("system routes are %s", text(routes[:2]))
			}
			if got := text(routes[2:]); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func text(routes []EffectiveRoute) string {
	var parts []string
	for _, r := range routes {
		parts = append(parts, strings.TrimSpace(fmt.Sprint(r.Prefix, " ", strings.Trim(fmt.Sprint(r.NextHops), "[]"))))
	}
	return strings.Join(parts, " | ")
}
