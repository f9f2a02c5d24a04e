package arm

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"
)

// Site says where builders put resources. Its methods add resources and return their IDs;
// the fields of what they add may then be altered with [Change].
type Site struct {
	State        *State
	Subscription string
	Group        string
}

// Site returns the builder for a resource group, and adds the group and its subscription if
// they are new. Both may be empty: then they are [Subscription] and [Group].
func (s *State) Site(subscription, group string) Site {
	b := Site{State: s, Subscription: cmp.Or(subscription, Subscription), Group: cmp.Or(group, Group)}
	id := "/subscriptions/" + b.Subscription
	if _, ok := Get[armsubscriptions.Subscription](s, id); !ok {
		s.Put(&armsubscriptions.Subscription{
			ID: &id, SubscriptionID: &b.Subscription, TenantID: to.Ptr(Tenant), DisplayName: to.Ptr("lab"),
			State: to.Ptr(armsubscriptions.SubscriptionStateEnabled), AuthorizationSource: to.Ptr("RoleBased"),
		})
	}
	id += "/resourceGroups/" + b.Group
	if _, ok := Get[ResourceGroup](s, id); !ok {
		s.Put(&ResourceGroup{
			ID: &id, Name: &b.Group, Type: to.Ptr("Microsoft.Resources/resourceGroups"), Location: to.Ptr(Location),
			Properties: &ResourceGroupProperties{ProvisioningState: to.Ptr("Succeeded")},
		})
	}
	return b
}

// ID returns the ID of a resource of the site, as [ID] does.
func (b Site) ID(kind string, path ...string) string {
	return IDIn(b.Subscription, b.Group, kind, path...)
}

var succeeded = to.Ptr(armnetwork.ProvisioningStateSucceeded)

// Subnet describes a subnet to [Site.VNet].
type Subnet struct {
	Name   string
	Prefix string
	// RouteTable and SecurityGroup are IDs, or empty.
	RouteTable    string
	SecurityGroup string
	NATGateway    string
}

// VNet adds a virtual network.
func (b Site) VNet(name string, space []string, subnets ...Subnet) string {
	id := b.ID(TypeVNet, name)
	v := &armnetwork.VirtualNetwork{
		ID: &id, Name: &name, Type: to.Ptr(TypeVNet), Location: to.Ptr(Location), Etag: newETag(),
		Properties: &armnetwork.VirtualNetworkPropertiesFormat{
			AddressSpace: &armnetwork.AddressSpace{AddressPrefixes: to.SliceOfPtrs(space...)}, ProvisioningState: succeeded,
		},
	}
	for _, s := range subnets {
		v.Properties.Subnets = append(v.Properties.Subnets, s.resource(id))
	}
	b.State.Put(v)
	return id
}

func (s Subnet) resource(vnet string) *armnetwork.Subnet {
	r := &armnetwork.Subnet{
		ID: to.Ptr(vnet + "/subnets/" + s.Name), Name: &s.Name, Type: to.Ptr(TypeVNet + "/subnets"), Etag: newETag(),
		Properties: &armnetwork.SubnetPropertiesFormat{AddressPrefix: &s.Prefix, ProvisioningState: succeeded},
	}
	if s.RouteTable != "" {
		r.Properties.RouteTable = &armnetwork.RouteTable{ID: &s.RouteTable}
	}
	if s.SecurityGroup != "" {
		r.Properties.NetworkSecurityGroup = &armnetwork.SecurityGroup{ID: &s.SecurityGroup}
	}
	if s.NATGateway != "" {
		r.Properties.NatGateway = &armnetwork.SubResource{ID: &s.NATGateway}
	}
	return r
}

// Peer peers two VNets, and allows traffic and forwarded traffic both ways. With transit,
// remote uses the gateway or Route Server of local.
func (s *State) Peer(local, remote string, transit bool) {
	space := func(id string) *armnetwork.AddressSpace {
		v, _ := Get[armnetwork.VirtualNetwork](s, id)
		return v.Properties.AddressSpace
	}
	side := func(from, to_ string, gateway, uses bool) {
		name := "to-" + nameOf(to_)
		s.Put(&armnetwork.VirtualNetworkPeering{
			ID: to.Ptr(from + "/virtualNetworkPeerings/" + name), Name: &name, Type: to.Ptr(TypeVNet + "/virtualNetworkPeerings"), Etag: newETag(),
			Properties: &armnetwork.VirtualNetworkPeeringPropertiesFormat{
				AllowForwardedTraffic: to.Ptr(true), AllowVirtualNetworkAccess: to.Ptr(true),
				AllowGatewayTransit: &gateway, UseRemoteGateways: &uses, PeerCompleteVnets: to.Ptr(true),
				PeeringState: to.Ptr(armnetwork.VirtualNetworkPeeringStateConnected), PeeringSyncLevel: to.Ptr(armnetwork.VirtualNetworkPeeringLevelFullyInSync),
				RemoteVirtualNetwork: &armnetwork.SubResource{ID: &to_},
				RemoteAddressSpace:   space(to_), RemoteVirtualNetworkAddressSpace: space(to_), ProvisioningState: succeeded,
			},
		})
	}
	side(local, remote, transit, false)
	side(remote, local, false, transit)
}

// UserRoute describes a user-defined route to [Site.RouteTable].
type UserRoute struct {
	Name, Prefix string
	// Type is VirtualAppliance if empty and there is one hop, VirtualApplianceEcmp if there
	// are more.
	Type string
	Hops []string
}

// RouteTable adds a route table. No subnet has it yet.
func (b Site) RouteTable(name string, propagation bool, routes ...UserRoute) string {
	id := b.ID(TypeRouteTable, name)
	b.State.Put(&armnetwork.RouteTable{
		ID: &id, Name: &name, Type: to.Ptr(TypeRouteTable), Location: to.Ptr(Location), Etag: newETag(),
		Properties: &armnetwork.RouteTablePropertiesFormat{DisableBgpRoutePropagation: to.Ptr(!propagation), ProvisioningState: succeeded},
	})
	for _, r := range routes {
		b.State.UserRoute(id, r)
	}
	return id
}

// UserRoute adds a route to a route table, or replaces it.
func (s *State) UserRoute(table string, r UserRoute) {
	id := table + "/routes/" + r.Name
	kind := r.Type
	if kind == "" {
		kind = string(armnetwork.RouteNextHopTypeVirtualAppliance)
		if len(r.Hops) > 1 {
			kind = NextHopECMP
		}
	}
	p := &armnetwork.RoutePropertiesFormat{
		AddressPrefix: &r.Prefix, NextHopType: to.Ptr(armnetwork.RouteNextHopType(kind)), HasBgpOverride: to.Ptr(false), ProvisioningState: succeeded,
	}
	switch {
	case kind == NextHopECMP:
		s.SetHops(id, r.Hops...)
	case len(r.Hops) > 0:
		p.NextHopIPAddress = &r.Hops[0]
	}
	s.Put(&armnetwork.Route{ID: &id, Name: &r.Name, Type: to.Ptr(TypeRouteTable + "/routes"), Etag: newETag(), Properties: p})
}

// NextHopECMP is the type of a user-defined route with several next hops.
const NextHopECMP = "VirtualApplianceEcmp"

// Rule describes a security rule to [Site.SecurityGroup].
type Rule struct {
	Name             string
	Priority         int32
	Inbound, Allow   bool
	Protocol         string // Tcp, Udp, Icmp or *
	Source, To, Port string // empty: *
}

// SecurityGroup adds a network security group, with the default rules that every group has.
func (b Site) SecurityGroup(name string, rules ...Rule) string {
	id := b.ID(TypeSecurityGroup, name)
	g := &armnetwork.SecurityGroup{
		ID: &id, Name: &name, Type: to.Ptr(TypeSecurityGroup), Location: to.Ptr(Location), Etag: newETag(),
		Properties: &armnetwork.SecurityGroupPropertiesFormat{ProvisioningState: succeeded},
	}
	for _, r := range rules {
		g.Properties.SecurityRules = append(g.Properties.SecurityRules, r.resource(id+"/securityRules/"))
	}
	for _, r := range defaultRules {
		g.Properties.DefaultSecurityRules = append(g.Properties.DefaultSecurityRules, r.resource(id+"/defaultSecurityRules/"))
	}
	b.State.Put(g)
	return id
}

// defaultRules are documented in "Network security groups", section "Default security rules".
var defaultRules = []Rule{
	{Name: "AllowVnetInBound", Priority: 65000, Inbound: true, Allow: true, Source: "VirtualNetwork", To: "VirtualNetwork"},
	{Name: "AllowAzureLoadBalancerInBound", Priority: 65001, Inbound: true, Allow: true, Source: "AzureLoadBalancer"},
	{Name: "DenyAllInBound", Priority: 65500, Inbound: true},
	{Name: "AllowVnetOutBound", Priority: 65000, Allow: true, Source: "VirtualNetwork", To: "VirtualNetwork"},
	{Name: "AllowInternetOutBound", Priority: 65001, Allow: true, To: "Internet"},
	{Name: "DenyAllOutBound", Priority: 65500},
}

func (r Rule) resource(below string) *armnetwork.SecurityRule {
	direction, access := armnetwork.SecurityRuleDirectionOutbound, armnetwork.SecurityRuleAccessDeny
	if r.Inbound {
		direction = armnetwork.SecurityRuleDirectionInbound
	}
	if r.Allow {
		access = armnetwork.SecurityRuleAccessAllow
	}
	anyOr := func(s string) *string { return to.Ptr(cmp.Or(s, "*")) }
	return &armnetwork.SecurityRule{
		ID: to.Ptr(below + r.Name), Name: &r.Name, Type: to.Ptr(TypeSecurityGroup + "/" + strings.Split(below, "/")[9]), Etag: newETag(),
		Properties: &armnetwork.SecurityRulePropertiesFormat{
			Access: &access, Direction: &direction, Priority: &r.Priority, Protocol: to.Ptr(armnetwork.SecurityRuleProtocol(cmp.Or(r.Protocol, "*"))),
			SourceAddressPrefix: anyOr(r.Source), DestinationAddressPrefix: anyOr(r.To),
			SourcePortRange: to.Ptr("*"), DestinationPortRange: anyOr(r.Port), ProvisioningState: succeeded,
		},
	}
}

// RouteServer describes a Route Server to [Site.RouteServer].
type RouteServer struct {
	Name string
	// VNet is the ID of the VNet, which has a subnet RouteServerSubnet.
	VNet           string
	Addresses      []netip.Addr
	BranchToBranch bool
}

// RouteServer adds a Route Server.
func (b Site) RouteServer(r RouteServer) string {
	id := b.ID(TypeHub, r.Name)
	config := id + "/ipConfigurations/default"
	var addresses []*string
	for _, a := range r.Addresses {
		addresses = append(addresses, to.Ptr(a.String()))
	}
	b.State.Put(&armnetwork.VirtualHub{
		ID: &id, Name: &r.Name, Type: to.Ptr(TypeHub), Location: to.Ptr(Location), Kind: to.Ptr("RouteServer"), Etag: newETag(),
		Properties: &armnetwork.VirtualHubProperties{
			AllowBranchToBranchTraffic: &r.BranchToBranch, SKU: to.Ptr("Standard"), HubRoutingPreference: to.Ptr(armnetwork.HubRoutingPreferenceExpressRoute),
			VirtualRouterAsn: to.Ptr[int64](65515), VirtualRouterIPs: addresses, IPConfigurations: []*armnetwork.SubResource{{ID: &config}},
			ProvisioningState: succeeded, RoutingState: to.Ptr(armnetwork.RoutingStateProvisioned),
		},
	})
	b.State.Put(&armnetwork.HubIPConfiguration{
		ID: &config, Name: to.Ptr("default"), Type: to.Ptr(TypeHub + "/ipConfigurations"), Etag: newETag(),
		Properties: &armnetwork.HubIPConfigurationPropertiesFormat{
			Subnet: &armnetwork.Subnet{ID: to.Ptr(r.VNet + "/subnets/RouteServerSubnet")}, ProvisioningState: succeeded,
		},
	})
	return id
}

// Connect makes an address a peer of a Route Server. Azure often leaves out the state of
// such a connection, and so does the builder.
func (s *State) Connect(hub, name, peer string, asn int64) string {
	id := hub + "/bgpConnections/" + name
	s.Put(&armnetwork.BgpConnection{
		ID: &id, Name: &name, Type: to.Ptr(TypeHub + "/bgpConnections"), Etag: newETag(),
		Properties: &armnetwork.BgpConnectionProperties{PeerIP: &peer, PeerAsn: &asn, ProvisioningState: succeeded},
	})
	return id
}

// Gateway adds a gateway of type ExpressRoute or Vpn, whose instances have addresses.
func (b Site) Gateway(name, vnet string, kind armnetwork.VirtualNetworkGatewayType, addresses ...string) string {
	id := b.ID(TypeGateway, name)
	p := &armnetwork.VirtualNetworkGatewayPropertiesFormat{
		GatewayType: &kind, Active: to.Ptr(len(addresses) > 1), EnableBgp: to.Ptr(true), ProvisioningState: succeeded,
		BgpSettings: &armnetwork.BgpSettings{Asn: to.Ptr[int64](65515), BgpPeeringAddress: to.Ptr(strings.Join(addresses, ",")), PeerWeight: to.Ptr[int32](0)},
	}
	for i := range max(1, len(addresses)) {
		config := fmt.Sprintf("config%d", i)
		p.IPConfigurations = append(p.IPConfigurations, &armnetwork.VirtualNetworkGatewayIPConfiguration{
			ID: to.Ptr(id + "/ipConfigurations/" + config), Name: &config, Etag: newETag(),
			Properties: &armnetwork.VirtualNetworkGatewayIPConfigurationPropertiesFormat{
				Subnet: &armnetwork.SubResource{ID: to.Ptr(vnet + "/subnets/GatewaySubnet")}, ProvisioningState: succeeded,
			},
		})
	}
	b.State.Put(&armnetwork.VirtualNetworkGateway{
		ID: &id, Name: &name, Type: to.Ptr(TypeGateway), Location: to.Ptr(Location), Etag: newETag(), Properties: p,
	})
	return id
}
