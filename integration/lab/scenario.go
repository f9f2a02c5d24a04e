package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// DefaultScenario is the scenario of an Options without one.
const DefaultScenario = "two-hubs"

var scenarios = map[string]func(Options) Topology{
	"one-hub":  oneHub,
	"two-hubs": twoHubs,
}

// Scenarios lists the names that Options.Scenario accepts.
func Scenarios() []string { return slices.Sorted(maps.Keys(scenarios)) }

func topology(o Options) (Topology, error) {
	build, ok := scenarios[o.Scenario]
	if !ok {
		return Topology{}, fmt.Errorf("unknown scenario %q, known are %s", o.Scenario, strings.Join(Scenarios(), ", "))
	}
	return build(o), nil
}

// oneHub is what the emulator's own tests need: a hub with a pair of NVAs, and
// a VNet behind its circuit.
func oneHub(Options) Topology {
	second := nva("vm-hub00-2", "10.0.0.6")
	second.ASN = 65002
	return Topology{
		VNets: []VNet{
			{
				Name: "hub00", Prefix: netip.MustParsePrefix("10.0.0.0/16"),
				Circuit: "circuit01", RouteServer: true,
				VMs: []VM{nva("vm-hub00", "10.0.0.4"), second, vm("vm-hub00-b", "10.0.0.5")},
			},
			{
				Name: "hub100", Prefix: netip.MustParsePrefix("10.100.0.0/16"), Circuit: "circuit01",
				VMs: []VM{vm("vm-hub100", "10.100.0.4")},
			},
		},
		Circuits: []Circuit{{Name: "circuit01", NextHops: addrs("10.2.146.76", "10.2.146.77")}},
	}
}

// twoHubs is two peered hub VNets, each on an ExpressRoute circuit with another
// VNet behind it. The hubs' NVAs are to join the two outer VNets.
func twoHubs(o Options) Topology {
	circuit01 := Circuit{Name: "circuit01", NextHops: addrs("10.2.146.76", "10.2.146.77")}
	if o.OnPremises {
		circuit01.Site = &Site{
			ASN:     64580,
			Prefix:  netip.MustParsePrefix("192.168.100.0/24"),
			Address: netip.MustParseAddr("192.168.100.4"),
		}
	}
	return Topology{
		VNets: []VNet{
			{
				Name: "hub00", Prefix: netip.MustParsePrefix("10.0.0.0/16"),
				Peers: []string{"hub10"}, Circuit: "circuit01", RouteServer: true,
				VMs: []VM{nva("vm-hub00", "10.0.0.4"), vm("vm-hub00-b", "10.0.0.5")},
			},
			{
				Name: "hub10", Prefix: netip.MustParsePrefix("10.10.0.0/16"),
				Peers: []string{"hub00"}, Circuit: "circuit02", RouteServer: true,
				VMs: []VM{nva("vm-hub10", "10.10.0.4"), vm("vm-hub10-b", "10.10.0.5")},
			},
			{
				Name: "hub100", Prefix: netip.MustParsePrefix("10.100.0.0/16"), Circuit: "circuit01",
				VMs: []VM{vm("vm-hub100", "10.100.0.4")},
			},
			{
				Name: "hub110", Prefix: netip.MustParsePrefix("10.110.0.0/16"), Circuit: "circuit02",
				VMs: []VM{vm("vm-hub110", "10.110.0.4")},
			},
		},
		Circuits: []Circuit{circuit01, {Name: "circuit02", NextHops: addrs("10.2.146.62")}},
	}
}

func vm(name, addr string) VM { return VM{Name: name, Address: netip.MustParseAddr(addr)} }

func nva(name, addr string) VM {
	return VM{Name: name, Address: netip.MustParseAddr(addr), NVA: true, ASN: 65001}
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}
