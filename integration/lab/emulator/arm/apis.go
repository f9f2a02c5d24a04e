package arm

import (
	"strings"

	computefake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9/fake"
	subscriptionsfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions/fake"
)

// api says which of the SDK's fakes answers for a type of resource.
type api struct {
	// kind is the type, as the fakes spell it.
	kind string
	// client is the SDK's client for single resources, and lists the one for lists and
	// actions. fake and listing answer them.
	client, lists string
	// listAll and list are its methods that list a subscription, and a resource group or
	// the parts of a resource; empty if there is none.
	listAll, list string
	// actions may be posted; they are found by their lower-case names.
	actions map[string]action
	fake    func(*call) transport
	listing func(*call) transport
}

// action is something that a client asks of a resource with POST.
type action struct {
	segment string // of the path
	method  string // of the SDK's client
	// running says that it needs a running VM.
	running bool
}

func many(kind, client string, fake func(*call) transport) *api {
	return &api{kind: kind, client: client, lists: client, listAll: "NewListAllPager", list: "NewListPager", fake: fake, listing: fake}
}

func part(kind, client string, fake func(*call) transport) *api {
	a := many(kind, client, fake)
	a.listAll = ""
	return a
}

// apis are the types that clients may ask for, by lower-case name.
var apis = func() map[string]*api {
	nics := many(TypeNIC, "InterfacesClient", interfaces)
	nics.actions = map[string]action{
		"effectiveroutetable":            {"effectiveRouteTable", "BeginGetEffectiveRouteTable", true},
		"effectivenetworksecuritygroups": {"effectiveNetworkSecurityGroups", "BeginListEffectiveNetworkSecurityGroups", true},
	}
	hubs := many(TypeHub, "VirtualHubsClient", hubs)
	hubs.listAll, hubs.list = "NewListPager", "NewListByResourceGroupPager"
	peers := part(TypeHub+"/bgpConnections", "VirtualHubBgpConnectionClient", hubConnection)
	peers.lists, peers.listing = "VirtualHubBgpConnectionsClient", hubConnections
	peers.actions = map[string]action{
		"learnedroutes":    {"learnedRoutes", "BeginListLearnedRoutes", false},
		"advertisedroutes": {"advertisedRoutes", "BeginListAdvertisedRoutes", false},
	}
	gateways := part(TypeGateway, "VirtualNetworkGatewaysClient", gateways)
	gateways.actions = map[string]action{
		"getlearnedroutes":    {"getLearnedRoutes", "BeginGetLearnedRoutes", false},
		"getadvertisedroutes": {"getAdvertisedRoutes", "BeginGetAdvertisedRoutes", false},
		"getbgppeerstatus":    {"getBgpPeerStatus", "BeginGetBgpPeerStatus", false},
	}
	all := map[string]*api{}
	for _, a := range []*api{
		nics, hubs, peers, gateways,
		many(TypeVM, "VirtualMachinesClient", machines),
		many(TypeVNet, "VirtualNetworksClient", networks),
		many(TypeRouteTable, "RouteTablesClient", routeTables),
		many(TypeSecurityGroup, "SecurityGroupsClient", securityGroups),
		many(TypePublicAddress, "PublicIPAddressesClient", publicAddresses),
		many(TypeNATGateway, "NatGatewaysClient", natGateways),
		part(TypeVNet+"/subnets", "SubnetsClient", subnets),
		part(TypeVNet+"/virtualNetworkPeerings", "VirtualNetworkPeeringsClient", peerings),
		part(TypeRouteTable+"/routes", "RoutesClient", userRoutes),
		part(TypeSecurityGroup+"/securityRules", "SecurityRulesClient", securityRules),
		part(TypeHub+"/ipConfigurations", "VirtualHubIPConfigurationClient", hubConfigurations),
	} {
		all[strings.ToLower(a.kind)] = a
	}
	return all
}()

func subscriptions(c *call) transport {
	var f subscriptionsfake.Server
	f.Get = get1
	list0(c, &f.NewListPager)
	return subscriptionsfake.NewServerTransport(&f)
}

func machines(c *call) transport {
	var f computefake.VirtualMachinesServer
	f.Get, f.InstanceView, f.BeginUpdate = get2, get2, slowTags2
	list1(c, &f.NewListPager)
	list0(c, &f.NewListAllPager)
	return computefake.NewVirtualMachinesServerTransport(&f)
}

func interfaces(c *call) transport {
	var f fake.InterfacesServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete, f.UpdateTags = get2, put2, delete2, tags2
	f.BeginGetEffectiveRouteTable, f.BeginListEffectiveNetworkSecurityGroups = action2, action2
	list1(c, &f.NewListPager)
	list0(c, &f.NewListAllPager)
	return fake.NewInterfacesServerTransport(&f)
}

func networks(c *call) transport {
	var f fake.VirtualNetworksServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete, f.UpdateTags = get2, put2, delete2, tags2
	list1(c, &f.NewListPager)
	list0(c, &f.NewListAllPager)
	return fake.NewVirtualNetworksServerTransport(&f)
}

func subnets(c *call) transport {
	var f fake.SubnetsServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete = get3, put3, delete3
	list2(c, &f.NewListPager)
	return fake.NewSubnetsServerTransport(&f)
}

func peerings(c *call) transport {
	var f fake.VirtualNetworkPeeringsServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete = get3, put3, delete3
	list2(c, &f.NewListPager)
	return fake.NewVirtualNetworkPeeringsServerTransport(&f)
}

func routeTables(c *call) transport {
	var f fake.RouteTablesServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete, f.UpdateTags = get2, put2, delete2, tags2
	list1(c, &f.NewListPager)
	list0(c, &f.NewListAllPager)
	return fake.NewRouteTablesServerTransport(&f)
}

func userRoutes(c *call) transport {
	var f fake.RoutesServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete = get3, put3, delete3
	list2(c, &f.NewListPager)
	return fake.NewRoutesServerTransport(&f)
}

func securityGroups(c *call) transport {
	var f fake.SecurityGroupsServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete, f.UpdateTags = get2, put2, delete2, tags2
	list1(c, &f.NewListPager)
	list0(c, &f.NewListAllPager)
	return fake.NewSecurityGroupsServerTransport(&f)
}

func securityRules(c *call) transport {
	var f fake.SecurityRulesServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete = get3, put3, delete3
	list2(c, &f.NewListPager)
	return fake.NewSecurityRulesServerTransport(&f)
}

func publicAddresses(c *call) transport {
	var f fake.PublicIPAddressesServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete, f.UpdateTags = get2, put2, delete2, tags2
	list1(c, &f.NewListPager)
	list0(c, &f.NewListAllPager)
	return fake.NewPublicIPAddressesServerTransport(&f)
}

func natGateways(c *call) transport {
	var f fake.NatGatewaysServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete, f.UpdateTags = get2, put2, delete2, tags2
	list1(c, &f.NewListPager)
	list0(c, &f.NewListAllPager)
	return fake.NewNatGatewaysServerTransport(&f)
}

func hubs(c *call) transport {
	var f fake.VirtualHubsServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete, f.UpdateTags = get2, put2, delete2, tags2
	list0(c, &f.NewListPager)
	list1(c, &f.NewListByResourceGroupPager)
	return fake.NewVirtualHubsServerTransport(&f)
}

func hubConfigurations(c *call) transport {
	var f fake.VirtualHubIPConfigurationServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete = get3, put3, delete3
	list2(c, &f.NewListPager)
	return fake.NewVirtualHubIPConfigurationServerTransport(&f)
}

func hubConnection(*call) transport {
	var f fake.VirtualHubBgpConnectionServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete = get3, put3, delete3
	return fake.NewVirtualHubBgpConnectionServerTransport(&f)
}

func hubConnections(c *call) transport {
	var f fake.VirtualHubBgpConnectionsServer
	f.BeginListLearnedRoutes, f.BeginListAdvertisedRoutes = action3, action3
	list2(c, &f.NewListPager)
	return fake.NewVirtualHubBgpConnectionsServerTransport(&f)
}

func gateways(c *call) transport {
	var f fake.VirtualNetworkGatewaysServer
	f.Get, f.BeginCreateOrUpdate, f.BeginDelete, f.BeginUpdateTags = get2, put2, delete2, slowTags2
	f.BeginGetLearnedRoutes, f.BeginGetAdvertisedRoutes, f.BeginGetBgpPeerStatus = action2, action3, action2
	list1(c, &f.NewListPager)
	return fake.NewVirtualNetworkGatewaysServerTransport(&f)
}
