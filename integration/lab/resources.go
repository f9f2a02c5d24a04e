package lab

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// state describes the topology as Azure's resources, in the resource group rg-nva. VNet
// hub00 is vnet-hub00 there, with the Route Server rs-hub00 and the gateway ergw-hub00.
func (t Topology) state(macs map[string]net.HardwareAddr) *arm.State {
	s := arm.NewState()
	b := s.Site("", "")
	for _, v := range t.VNets {
		b.VNet(vnetName(v.Name), []string{v.Prefix.String()}, v.subnets(b)...)
	}
	for _, v := range t.VNets {
		for _, peer := range v.Peers {
			// One call makes both sides: the spoke's, or that of the first name.
			if p, _ := t.vnet(peer); v.RemoteGateway == peer || v.Name < peer && p.RemoteGateway != v.Name {
				s.Peer(vnetID(peer), vnetID(v.Name), v.RemoteGateway == peer)
			}
		}
		t.deploy(s, b, v, macs)
	}
	return s
}

func vnetName(vnet string) string { return "vnet-" + vnet }
func vnetID(vnet string) string   { return arm.ID(arm.TypeVNet, vnetName(vnet)) }
func hubID(vnet string) string    { return arm.ID(arm.TypeHub, "rs-"+vnet) }

// deploy adds what is in a VNet.
func (t Topology) deploy(s *arm.State, b arm.Site, v VNet, macs map[string]net.HardwareAddr) {
	for _, m := range v.VMs {
		vm := arm.VM{
			Name: m.Name, Subnet: vnetID(v.Name) + "/subnets/" + subnetName(m.Address.As4()[2]), Addresses: []netip.Addr{m.Address},
			MAC: strings.ToUpper(strings.ReplaceAll(macs[m.Name].String(), ":", "-")), Forwarding: m.NVA && !m.Unregistered, Identity: true, Tags: m.Tags,
		}
		if m.NVA && v.onInternet() {
			vm.PublicAddress = b.ID(arm.TypePublicAddress, "pip-"+m.Name)
		}
		b.VM(vm)
	}
	if v.Circuit != "" {
		b.Gateway(gatewayNode(v.Name), vnetID(v.Name), armnetwork.VirtualNetworkGatewayTypeExpressRoute, v.Gateway().String())
	}
	if !v.RouteServer {
		return
	}
	b.RouteServer(arm.RouteServer{Name: "rs-" + v.Name, VNet: vnetID(v.Name), Addresses: v.RouteServers(), BranchToBranch: true})
	for _, m := range t.peersOfRouteServer(v) {
		s.Connect(hubID(v.Name), m.Name, m.Address.String(), int64(m.ASN))
	}
}

// subnets lists the subnets in which the VNet has something, each with its route table.
func (v VNet) subnets(b arm.Site) []arm.Subnet {
	var list []arm.Subnet
	seen := map[byte]bool{}
	for _, nic := range v.nics() {
		third := nic.address.As4()[2]
		if seen[third] {
			continue
		}
		seen[third] = true
		subnet := arm.Subnet{Name: subnetName(third), Prefix: v.Subnet(third).String()}
		for _, table := range v.UserRoutes {
			if table.Subnet == third {
				subnet.RouteTable = b.RouteTable(fmt.Sprintf("rt-%s-%s", v.Name, subnet.Name), !table.NoPropagation, userRoutes(table.Routes)...)
			}
		}
		list = append(list, subnet)
	}
	return list
}

// subnetName returns the name of a VNet's subnet with that third octet.
func subnetName(third byte) string {
	switch third {
	case subnetDefault:
		return "default"
	case subnetGateway:
		return "GatewaySubnet"
	case subnetRouteServer:
		return "RouteServerSubnet"
	}
	return fmt.Sprintf("subnet%d", third)
}

func userRoutes(routes []sdn.UserRoute) []arm.UserRoute {
	var list []arm.UserRoute
	for _, r := range routes {
		u := arm.UserRoute{Name: r.Name, Prefix: r.Prefix.String()}
		for _, hop := range r.NextHops {
			u.Hops = append(u.Hops, hop.String())
		}
		if len(u.Hops) == 0 {
			u.Type = string(armnetwork.RouteNextHopTypeInternet)
		}
		list = append(list, u)
	}
	return list
}

// connected lists the NVAs that are peers of a VNet's Route Server according to its
// connections.
func connected(n rules.Network, vnet string) []rules.Peer {
	i := slices.IndexFunc(n.RouteServers, func(rs rules.RouteServer) bool { return sameID(rs.ID, hubID(vnet)) })
	if i < 0 {
		return nil
	}
	return n.RouteServers[i].Peers
}
