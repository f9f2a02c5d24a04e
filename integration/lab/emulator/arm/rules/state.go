package rules

import (
	"net/netip"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Read returns the network of a State's resources. What gateways learn over their circuits
// is not among them.
func Read(s *arm.State) Network {
	var n Network
	for _, v := range arm.All[armnetwork.VirtualNetwork](s) {
		n.VNets = append(n.VNets, readVNet(s, v))
	}
	for _, i := range arm.All[armnetwork.Interface](s) {
		n.NICs = append(n.NICs, readNIC(s, i))
	}
	for _, h := range arm.All[armnetwork.VirtualHub](s) {
		n.RouteServers = append(n.RouteServers, readRouteServer(s, h))
	}
	for _, g := range arm.All[armnetwork.VirtualNetworkGateway](s) {
		gw := Gateway{ID: key(g.ID)}
		for _, c := range g.Properties.IPConfigurations {
			gw.VNet = vnetOf(key(c.Properties.Subnet.ID))
		}
		if b := g.Properties.BgpSettings; b != nil && value(g.Properties.GatewayType) == armnetwork.VirtualNetworkGatewayTypeExpressRoute {
			// Azure shows the gateway's own addresses as those of the circuit's routers.
			own, _, _ := strings.Cut(value(b.BgpPeeringAddress), ",")
			gw.Peer, _ = netip.ParseAddr(own)
		}
		n.Gateways = append(n.Gateways, gw)
	}
	return n
}

func readVNet(s *arm.State, v *armnetwork.VirtualNetwork) VNet {
	out := VNet{ID: key(v.ID), Space: prefixesOf(v.Properties.AddressSpace)}
	for _, sub := range v.Properties.Subnets {
		p := sub.Properties
		subnet := Subnet{ID: key(sub.ID), Name: value(sub.Name), Prefixes: parseAll(append([]*string{p.AddressPrefix}, p.AddressPrefixes...))}
		if p.RouteTable != nil {
			subnet.User, subnet.NoPropagation = readTable(s, *p.RouteTable.ID)
		}
		if p.NetworkSecurityGroup != nil {
			subnet.Group = readGroup(s, *p.NetworkSecurityGroup.ID)
		}
		out.Subnets = append(out.Subnets, subnet)
	}
	for _, side := range v.Properties.VirtualNetworkPeerings {
		out.Peerings = append(out.Peerings, readPeering(side.Properties))
	}
	return out
}

func readPeering(p *armnetwork.VirtualNetworkPeeringPropertiesFormat) Peering {
	out := Peering{
		Remote: key(p.RemoteVirtualNetwork.ID), Connected: value(p.PeeringState) == armnetwork.VirtualNetworkPeeringStateConnected,
		Space:             prefixesOf(p.RemoteAddressSpace),
		UseRemoteGateways: value(p.UseRemoteGateways), AllowGatewayTransit: value(p.AllowGatewayTransit), AllowForwarded: value(p.AllowForwardedTraffic),
	}
	if p.PeerCompleteVnets != nil && !*p.PeerCompleteVnets {
		for _, name := range p.RemoteSubnetNames {
			out.RemoteSubnets = append(out.RemoteSubnets, *name)
		}
		for _, name := range p.LocalSubnetNames {
			out.LocalSubnets = append(out.LocalSubnets, *name)
		}
	}
	return out
}

// hopTypes are Azure's words for next hops: in user-defined and effective routes, and in
// package sdn, which has the portal's.
var hopTypes = map[string]string{
	"VnetLocal": sdn.TypeVNet, "VNetPeering": sdn.TypePeering, "VirtualNetworkGateway": sdn.TypeGateway,
	"VirtualAppliance": sdn.TypeAppliance, arm.NextHopECMP: sdn.TypeAppliance, "Internet": sdn.TypeInternet, "None": sdn.TypeNone,
}

func readTable(s *arm.State, id string) (routes []sdn.UserRoute, noPropagation bool) {
	t, ok := arm.Get[armnetwork.RouteTable](s, id)
	if !ok {
		return nil, false
	}
	for _, r := range t.Properties.Routes {
		u := sdn.UserRoute{Name: value(r.Name), Type: hopTypes[string(value(r.Properties.NextHopType))]}
		var err error
		if u.Prefix, err = netip.ParsePrefix(value(r.Properties.AddressPrefix)); err != nil {
			continue // a service tag
		}
		hops := s.Hops(*r.ID)
		if hop := value(r.Properties.NextHopIPAddress); hop != "" {
			hops = []string{hop}
		}
		for _, hop := range hops {
			u.NextHops = append(u.NextHops, netip.MustParseAddr(hop))
		}
		routes = append(routes, u)
	}
	return routes, value(t.Properties.DisableBgpRoutePropagation)
}

func readGroup(s *arm.State, id string) *Group {
	g, ok := arm.Get[armnetwork.SecurityGroup](s, id)
	if !ok {
		return nil
	}
	out := &Group{ID: *g.ID}
	add := func(prefix string, list []*armnetwork.SecurityRule) {
		for _, r := range list {
			p := r.Properties
			out.Rules = append(out.Rules, Rule{
				Name: prefix + *r.Name, Inbound: *p.Direction == armnetwork.SecurityRuleDirectionInbound,
				Allow: *p.Access == armnetwork.SecurityRuleAccessAllow, Priority: int(*p.Priority), Protocol: string(*p.Protocol),
				SourcePorts: texts(p.SourcePortRange, p.SourcePortRanges), Ports: texts(p.DestinationPortRange, p.DestinationPortRanges),
				Sources: texts(p.SourceAddressPrefix, p.SourceAddressPrefixes), Destinations: texts(p.DestinationAddressPrefix, p.DestinationAddressPrefixes),
			})
		}
	}
	add("securityRules/", g.Properties.SecurityRules)
	add("defaultSecurityRules/", g.Properties.DefaultSecurityRules)
	out.Rules = out.sorted()
	return out
}

func readNIC(s *arm.State, i *armnetwork.Interface) NIC {
	nic := NIC{ID: key(i.ID), Running: i.Properties.VirtualMachine != nil && s.Running(*i.Properties.VirtualMachine.ID)}
	for _, c := range i.Properties.IPConfigurations {
		nic.Addresses = append(nic.Addresses, netip.MustParseAddr(*c.Properties.PrivateIPAddress))
		nic.Subnet = key(c.Properties.Subnet.ID)
	}
	nic.VNet = vnetOf(nic.Subnet)
	if g := i.Properties.NetworkSecurityGroup; g != nil {
		nic.Group = readGroup(s, *g.ID)
	}
	return nic
}

func readRouteServer(s *arm.State, h *armnetwork.VirtualHub) RouteServer {
	rs := RouteServer{
		ID: key(h.ID), BranchToBranch: value(h.Properties.AllowBranchToBranchTraffic),
		ByPath: value(h.Properties.HubRoutingPreference) == armnetwork.HubRoutingPreferenceASPath,
	}
	for _, a := range h.Properties.VirtualRouterIPs {
		rs.Addresses = append(rs.Addresses, netip.MustParseAddr(*a))
	}
	for _, c := range arm.All[armnetwork.HubIPConfiguration](s) {
		if below(*c.ID, rs.ID) {
			rs.VNet = vnetOf(key(c.Properties.Subnet.ID))
		}
	}
	for _, c := range arm.All[armnetwork.BgpConnection](s) {
		if below(*c.ID, rs.ID) {
			rs.Peers = append(rs.Peers, Peer{key(c.ID), netip.MustParseAddr(*c.Properties.PeerIP), uint32(*c.Properties.PeerAsn)})
		}
	}
	return rs
}

// below reports whether a resource is a part of another.
func below(id, parent string) bool { return strings.HasPrefix(strings.ToLower(id), parent+"/") }

// vnetOf returns the VNet's part of a subnet's ID.
func vnetOf(subnet string) string {
	vnet, _, _ := strings.Cut(subnet, "/subnets/")
	return vnet
}

func key(id *string) string { return strings.ToLower(value(id)) }

func value[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

func texts(one *string, more []*string) []string {
	var list []string
	for _, text := range append([]*string{one}, more...) {
		if value(text) != "" {
			list = append(list, *text)
		}
	}
	return list
}

func prefixesOf(a *armnetwork.AddressSpace) []netip.Prefix {
	if a == nil {
		return nil
	}
	return parseAll(a.AddressPrefixes)
}

func parseAll(list []*string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		if value(text) != "" {
			out = append(out, netip.MustParsePrefix(*text))
		}
	}
	return out
}
