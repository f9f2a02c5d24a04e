package sdn

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func learn(prefix, hop string, source Source, length int) Learned {
	return Learned{netip.MustParsePrefix(prefix), []netip.Addr{netip.MustParseAddr(hop)}, source, length}
}

func TestEffective(t *testing.T) {
	for _, tc := range []struct {
		name    string
		learned []Learned
		want    string
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
	} {
		t.Run(tc.name, func(t *testing.T) {
			routes := Effective(Subnet{
				Space:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")},
				Peerings: []Peering{{"hub10", netip.MustParsePrefix("10.10.0.0/16")}},
			}, tc.learned)
			if got, want := text(routes[:2])+" then "+text(routes[2:]), "10.0.0.0/16 | 10.10.0.0/16 then "+tc.want; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// A user-defined route wins over learned and system routes for its own prefix, and leaves
// those for other prefixes as they are.
func TestUserRoutes(t *testing.T) {
	appliance := netip.MustParseAddr("10.0.0.4")
	user := func(prefix string) UserRoute {
		return UserRoute{Name: "udr", Prefix: netip.MustParsePrefix(prefix), NextHops: []netip.Addr{appliance}}
	}
	hop := []netip.Addr{netip.MustParseAddr("10.2.146.76")}
	learned := []Learned{
		{netip.MustParsePrefix("10.100.0.0/16"), hop, Gateway, 2}, {netip.MustParsePrefix("10.110.0.0/16"), hop, Gateway, 2},
	}
	routes := Effective(Subnet{
		Space:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")},
		Peerings: []Peering{{"spoke10", netip.MustParsePrefix("10.10.0.0/16")}},
		User: []UserRoute{
			user("10.10.0.0/16"), user("10.100.0.0/16"), user("10.0.0.0/8"),
			{Name: "out", Prefix: netip.MustParsePrefix("0.0.0.0/0")},
			{Name: "nowhere", Prefix: netip.MustParsePrefix("172.20.0.0/16"), Type: TypeNone},
		},
	}, learned)
	var got []string
	for _, r := range routes {
		got = append(got, fmt.Sprintf("%s %s %s %s %v %s", r.Source, r.State, r.Prefix, r.NextHopType, r.NextHops, r.Name))
	}
	want := []string{
		"Default Active 10.0.0.0/16 Virtual network [] ",
		"Default Invalid 10.10.0.0/16 VNet peering [] ",
		"Virtual network gateway Invalid 10.100.0.0/16 Virtual network gateway [10.2.146.76] ",
		"Virtual network gateway Active 10.110.0.0/16 Virtual network gateway [10.2.146.76] ",
		"User Active 10.10.0.0/16 Virtual appliance [10.0.0.4] udr",
		"User Active 10.100.0.0/16 Virtual appliance [10.0.0.4] udr",
		"User Active 10.0.0.0/8 Virtual appliance [10.0.0.4] udr",
		"User Active 0.0.0.0/0 Internet [] out",
		"User Active 172.20.0.0/16 None [] nowhere",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func text(routes []EffectiveRoute) string {
	var parts []string
	for _, r := range routes {
		parts = append(parts, strings.TrimSpace(fmt.Sprint(r.Prefix, " ", strings.Trim(fmt.Sprint(r.NextHops), "[]"))))
	}
	return strings.Join(parts, " | ")
}

// Without propagation a subnet has only its system and user-defined routes.
func TestNoPropagation(t *testing.T) {
	routes := Effective(Subnet{Space: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, NoPropagation: true},
		[]Learned{learn("10.5.0.0/16", "10.0.0.4", NVA, 1), learn("10.6.0.0/16", "10.2.1.1", Gateway, 1)})
	if got := text(routes); got != "10.0.0.0/16" {
		t.Errorf("got %s", got)
	}
}

// Without the routes of peerings, a shorter user-defined route leads to a peered VNet, and the
// VNet's own space stays.
func TestNoPeeringRoutes(t *testing.T) {
	routes := Effective(Subnet{
		Space:           []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")},
		Peerings:        []Peering{{"hub10", netip.MustParsePrefix("10.10.0.0/16")}},
		User:            []UserRoute{{Name: "all", Prefix: netip.MustParsePrefix("10.0.0.0/8"), NextHops: []netip.Addr{netip.MustParseAddr("10.0.0.4")}}},
		NoPeeringRoutes: true,
	}, nil)
	if got := text(routes); got != "10.0.0.0/16 | 10.0.0.0/8 10.0.0.4" {
		t.Errorf("got %s", got)
	}
}

// Subnets of a VNet can be peered alone: only they are reached without a route of one's own.
func TestSubnetPeering(t *testing.T) {
	routes := Effective(Subnet{
		Space:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")},
		Peerings: []Peering{{"hub10", netip.MustParsePrefix("10.10.1.0/24")}},
	}, []Learned{learn("10.10.0.0/16", "10.0.0.4", NVA, 1), learn("10.10.1.0/25", "10.0.0.4", NVA, 1)})
	if got := text(routes); got != "10.0.0.0/16 | 10.10.1.0/24 | 10.10.0.0/16 10.0.0.4" {
		t.Errorf("got %s", got)
	}
}

// The hub routing preference ASPath makes an NVA with a shorter path win over ExpressRoute.
func TestPathPreference(t *testing.T) {
	routes := Effective(Subnet{ByPath: true},
		[]Learned{learn("10.5.0.0/16", "10.2.1.1", Gateway, 5), learn("10.5.0.0/16", "10.0.0.4", NVA, 1)})
	if got := text(routes); got != "10.5.0.0/16 10.0.0.4" {
		t.Errorf("got %s", got)
	}
}
