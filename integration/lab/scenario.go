package lab

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// DefaultScenario is the scenario of Options that name none.
const DefaultScenario = "two-hubs"

// Scenario is a deployment that can be brought up by its name.
type Scenario struct {
	Name string
	// About describes the scenario in one line.
	About string
	// Note tells a reader of the show something first.
	Note string
	// Operator says that the VMs' identities may do in Azure what the role of
	// configs/azure/role-operator.json permits, and nothing else.
	Operator bool
	// NVAs says what runs on the scenario's NVAs by default. A Config is the name of a file in
	// the directory of nvad's configurations.
	NVAs map[string]NVA
	// Reach lists which host reaches which address once the scenario has settled.
	Reach []Flow
	// Show lists the commands worth running, as lines "NODE# COMMAND". The node "azure" is the
	// lab's own command line.
	Show []string

	topology func(Options) Topology
}

// Flow is a host and an address that it can reach.
type Flow struct {
	From string
	To   string
}

// scenarios in the order in which they are listed.
var scenarios = []Scenario{
	{Name: DefaultScenario, About: "two peered hubs, a circuit each, joined by VXLAN and iBGP", NVAs: nvads("hub00", "hub10"), Reach: acrossHubs, Show: twoHubsShow, topology: twoHubs},
	twoHubsCommunities,
	twoHubsIPv6,
	twoHubsWireGuard,
	twoHubsHA,
	siteToHub,
	azureFromNothing,
	vxlanMulticast,
	vxlanStatic,
	spokeAdvertise,
	dualHomed,
	singleHomedUDR,
	oneWayNAT,
	expressRouteHairpin,
	expressRouteEdge,
	hubSpokes,
	threeHubs,
	{Name: "one-hub", About: "a hub with two NVAs, for the emulator's own tests", topology: oneHub},
	{Name: "spoke-ecmp", About: "a route to two NVAs, for the emulator's own tests", topology: spokeECMP},
}

// Scenarios lists all scenarios.
func Scenarios() []Scenario { return slices.Clone(scenarios) }

// FindScenario returns the scenario with that name.
func FindScenario(name string) (Scenario, error) {
	var names []string
	for _, s := range scenarios {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scenario{}, fmt.Errorf("unknown scenario %q, known are %s", name, strings.Join(names, ", "))
}

// Defaults returns what runs on the scenario's NVAs by default, given nvad's binary and the
// directory of its configurations.
func (s Scenario) Defaults(nvad, configs string) map[string]NVA {
	nvas := map[string]NVA{}
	for name, nva := range s.NVAs {
		if nva.Kind.IsNvad() {
			nva.Binary, nva.Config = nvad, filepath.Join(configs, nva.Config)
		}
		nvas[name] = nva
	}
	return nvas
}

// nvads returns NVAs that run nvad. Each has the configuration of its own name; its VM is
// vm-NAME.
func nvads(names ...string) map[string]NVA {
	nvas := map[string]NVA{}
	for _, name := range names {
		vm, _, _ := strings.Cut(name, "-")
		nvas["vm-"+vm] = NVA{Kind: Nvad, Config: name + ".toml"}
	}
	return nvas
}

// vnet returns a VNet with VMs. The methods that follow return it with more.
func vnet(name, prefix string, vms ...VM) VNet {
	return VNet{Name: name, Prefix: netip.MustParsePrefix(prefix), VMs: vms}
}

func (v VNet) on(circuit string) VNet {
	v.Circuit = circuit
	return v
}

func (v VNet) routeServer() VNet {
	v.RouteServer = true
	return v
}

func (v VNet) peered(with ...string) VNet {
	v.Peers = with
	return v
}

// spokeOf peers the VNet with a hub, whose gateway it uses.
func (v VNet) spokeOf(hub string) VNet {
	v.RemoteGateway = hub
	return v.peered(hub)
}

// routed gives a subnet user-defined routes.
func (v VNet) routed(subnet byte, routes ...sdn.UserRoute) VNet {
	v.UserRoutes = []SubnetRoutes{{Subnet: subnet, Routes: routes}}
	return v
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

// vxlanMulticast is three hosts on one Ethernet segment whose VXLAN devices find each other
// through a multicast group. The article's two VyOS routers run nvad, and its Ubuntu host runs
// the article's commands.
var vxlanMulticast = Scenario{
	Name:  "vxlan-multicast",
	About: "three hosts, VXLAN over a multicast group, one by ip link",
	NVAs: map[string]NVA{
		"vyos01": {Kind: Nvad, Config: "vyos01.toml"},
		"vyos02": {Kind: Nvad, Config: "vyos02.toml"},
		"ubuntu": {Kind: Plain},
	},
	Reach: []Flow{
		{"ubuntu", "10.0.1.254"}, {"ubuntu", "10.0.1.253"}, {"vyos01", "10.0.1.253"}, {"vyos02", "10.0.1.1"},
	},
	Show: []string{
		"vyos01# ip -d link show vxlan0",
		"ubuntu# ping -c 3 -i 0.2 10.0.1.254",
		"ubuntu# ping -c 3 -i 0.2 10.0.1.253",
		"ubuntu# bridge fdb show dev vxlan0",
		"vyos01# nvactl tunnels",
		"vyos01# nvactl tunnels vxlan0",
	},
	topology: func(Options) Topology {
		hosts := []VM{vm("vyos01", "10.0.2.254"), vm("vyos02", "10.0.2.253"), vm("ubuntu", "10.0.2.1")}
		return Topology{Segments: []Segment{{Name: "tunneling", Hosts: hosts}}}
	},
}
