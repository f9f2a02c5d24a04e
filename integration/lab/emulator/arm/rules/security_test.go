package rules

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// defaults are the rules that every group has after its own.
var defaults = []Rule{
	defaultRule("AllowVnetInBound", true, true, 65000, tagVNet, tagVNet),
	defaultRule("AllowAzureLoadBalancerInBound", true, true, 65001, tagBalancer, "*"),
	defaultRule("DenyAllInBound", true, false, 65500, "*", "*"),
	defaultRule("AllowVnetOutBound", false, true, 65000, tagVNet, tagVNet),
	defaultRule("AllowInternetOutBound", false, true, 65001, "*", tagInternet),
	defaultRule("DenyAllOutBound", false, false, 65500, "*", "*"),
}

func defaultRule(name string, in, allow bool, priority int, from, to string) Rule {
	return Rule{
		Name: name, Inbound: in, Allow: allow, Priority: priority, Protocol: "*",
		SourcePorts: []string{"*"}, Ports: []string{"*"}, Sources: []string{from}, Destinations: []string{to},
	}
}

func withDefaults(rules ...Rule) *Group { return &Group{ID: "nsg", Rules: append(rules, defaults...)} }

// TestAllows: the groups of subnet and NIC must both allow a packet, own rules come before
// the default ones, and without a group everything passes.
func TestAllows(t *testing.T) {
	vxlan := func(from string) Packet {
		return Packet{Inbound: true, Protocol: "Udp", Remote: addr(from), Port: 4789}
	}
	out := func(to string) Packet { return Packet{Protocol: "Tcp", Remote: addr(to), Port: 443} }
	rule := func(allow bool, priority int, port string, sources ...string) Rule {
		return Rule{
			Name: "r", Inbound: true, Allow: allow, Priority: priority, Protocol: "Udp",
			SourcePorts: []string{"*"}, Ports: []string{port}, Sources: sources, Destinations: []string{"*"},
		}
	}
	empty := withDefaults()
	for name, tc := range map[string]struct {
		nic, subnet *Group
		packet      Packet
		want        bool
	}{
		"no group":                      {nil, nil, vxlan("20.0.0.1"), true},
		"defaults, from the VNet":       {empty, nil, vxlan("10.0.0.5"), true},
		"defaults, from a peered VNet":  {empty, nil, vxlan("10.1.0.4"), true},
		"defaults, from the gateway":    {empty, nil, vxlan("192.168.100.4"), true},
		"defaults, from the platform":   {empty, nil, vxlan("168.63.129.16"), true},
		"defaults, from outside":        {empty, nil, vxlan("20.0.0.1"), false},
		"defaults, from an unknown one": {empty, nil, vxlan("172.20.0.1"), false},
		"defaults, to the internet":     {empty, nil, out("20.0.0.1"), true},
		"defaults, to an unknown one":   {empty, nil, out("172.20.0.1"), false},
		"denied at the NIC":             {withDefaults(rule(false, 100, "4789", "*")), nil, vxlan("10.0.0.5"), false},
		"denied at the subnet":          {empty, withDefaults(rule(false, 100, "4000-5000", tagVNet)), vxlan("10.0.0.5"), false},
		"the lower priority decides":    {withDefaults(rule(false, 200, "*", "*"), rule(true, 100, "4789", "10.0.0.5")), nil, vxlan("10.0.0.5"), true},
		"only that source":              {withDefaults(rule(false, 200, "*", "*"), rule(true, 100, "4789", "10.0.0.5")), nil, vxlan("10.0.0.6"), false},
		"another port":                  {withDefaults(rule(false, 100, "4790-65535", "*")), nil, vxlan("10.0.0.5"), true},
		"another direction":             {withDefaults(rule(false, 100, "*", "*")), nil, out("10.0.0.5"), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.NICs[0].Group, w.VNets[0].Subnets[0].Group = tc.nic, tc.subnet
			if got := w.Allows(w.NICs[0], tc.packet); got != tc.want {
				t.Errorf("allowed is %t, want %t", got, tc.want)
			}
		})
	}
}

// TestInternet: the tag covers public addresses and no others.
func TestInternet(t *testing.T) {
	w := newWorld()
	internet := w.Expand(w.NICs[0], tagInternet)
	for text, want := range map[string]bool{
		"8.8.8.8": true, "11.0.0.0": true, "9.255.255.255": true, "168.63.129.15": true, "168.63.129.17": true, "172.32.0.1": true,
		"10.0.0.1": false, "168.63.129.16": false, "172.31.0.1": false, "192.168.7.1": false, "224.0.0.5": false, "255.255.255.255": false,
	} {
		if got := slices.ContainsFunc(internet, func(p netip.Prefix) bool { return p.Contains(addr(text)) }); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}

// TestPlatform: the routes that every subnet has give way to routes for their prefixes, and
// to the VNet's space they leave no trace.
func TestPlatform(t *testing.T) {
	state := func(routes []sdn.EffectiveRoute, prefix, kind string) string {
		for _, r := range routes {
			if r.Prefix.String() == prefix && r.NextHopType == kind {
				return r.State
			}
		}
		return ""
	}
	w := newWorld()
	w.VNets[0].Space = prefixes("10.0.0.0/16", "172.16.0.0/12", "192.0.0.0/8")
	w.send("10.0.0.4", 65001, via("0.0.0.0/0", "10.0.0.4", 65001))
	routes, _ := w.Effective(w.NICs[0], w.Sent)
	for _, tc := range [][3]string{
		{"0.0.0.0/0", sdn.TypeInternet, sdn.StateInvalid}, {"0.0.0.0/0", sdn.TypeGateway, sdn.StateActive},
		{"10.0.0.0/8", sdn.TypeNone, sdn.StateActive}, {"192.168.0.0/16", sdn.TypeNone, ""}, {"172.16.0.0/12", sdn.TypeNone, ""}, {"172.16.0.0/12", sdn.TypeVNet, sdn.StateActive},
	} {
		if got := state(routes, tc[0], tc[1]); got != tc[2] {
			t.Errorf("%s to %s is %q, want %q", tc[0], tc[1], got, tc[2])
		}
	}
	w.VNets[0].Subnets[0].User = []sdn.UserRoute{{Name: "out", Prefix: netip.MustParsePrefix("0.0.0.0/0"), Type: sdn.TypeAppliance}}
	routes, _ = w.Effective(w.NICs[0], w.Sent)
	if got := state(routes, "10.0.0.0/8", sdn.TypeNone) + state(routes, "0.0.0.0/0", sdn.TypeInternet) + state(routes, "0.0.0.0/0", sdn.TypeAppliance); got != "InvalidActive" {
		t.Errorf("with a user-defined default route: %q", got)
	}
}
