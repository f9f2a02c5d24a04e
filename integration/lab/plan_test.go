package lab

import (
	"slices"
	"strings"
	"testing"
)

// TestPlan checks the invariants of every scenario's layout without building it.
func TestPlan(t *testing.T) {
	for _, scenario := range Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			top := scenario.topology(Options{OnPremises: true})
			n := plan("p", top)
			for _, v := range top.VNets {
				router := n.nodes[routerNode(v.Name)]
				if !slices.Contains(router.ip, "route add blackhole "+v.Prefix.String()) {
					t.Errorf("%s: addresses without a NIC may follow learned routes", v.Name)
				}
				for _, m := range v.VMs {
					if !v.Subnet(subnetDefault).Contains(m.Address) {
						t.Errorf("%s is outside the default subnet", m.Name)
					}
				}
			}
			for name, node := range n.nodes {
				hasDefault := func(command string) bool {
					return strings.HasPrefix(command, "route add default") && !strings.Contains(command, " table ")
				}
				if strings.HasPrefix(name, "net-") && slices.ContainsFunc(node.ip, hasDefault) {
					t.Errorf("%s has a default route", name)
				}
			}
		})
	}
}

// TestPlanOfVM compares a VM's addresses and routes with the article's.
func TestPlanOfVM(t *testing.T) {
	want := `link set lo up
link set eth0 up
addr add 10.0.0.4/24 dev eth0
route add default via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100
route add 168.63.129.16 via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100
route add 169.254.169.254 via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100
`
	if got := plan("p", twoHubs(Options{})).nodes["vm-hub00"].batch(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Prefix: "a-b"}, {Prefix: "../x"}, {Prefix: strings.Repeat("a", 17)}, {Scenario: "none"}} {
		if _, err := newLab(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
