package arm

import (
	"fmt"
	"strings"
)

// Where the builders put resources unless they are told otherwise.
const (
	Subscription = "00000000-0000-0000-0000-000000000001"
	Group        = "rg-nva"
	Location     = "japaneast"
	// Tenant is the directory of all subscriptions and identities.
	Tenant = "00000000-0000-0000-0000-0000000000aa"
)

// Types of resources, as they stand in resource IDs.
const (
	TypeVM            = "Microsoft.Compute/virtualMachines"
	TypeNIC           = "Microsoft.Network/networkInterfaces"
	TypeVNet          = "Microsoft.Network/virtualNetworks"
	TypeRouteTable    = "Microsoft.Network/routeTables"
	TypeSecurityGroup = "Microsoft.Network/networkSecurityGroups"
	TypePublicAddress = "Microsoft.Network/publicIPAddresses"
	TypeNATGateway    = "Microsoft.Network/natGateways"
	TypeGateway       = "Microsoft.Network/virtualNetworkGateways"
	TypeHub           = "Microsoft.Network/virtualHubs"
	TypeIdentity      = "Microsoft.ManagedIdentity/userAssignedIdentities"
)

// ID returns the resource ID of a resource in [Group]. path is its name, and for a part of
// another resource, that one's name, its own type and its own name:
//
//	ID(TypeVNet, "vnet-hub00", "subnets", "default")
func ID(kind string, path ...string) string { return IDIn(Subscription, Group, kind, path...) }

// IDIn returns the ID of a resource in a resource group of a subscription.
func IDIn(subscription, group, kind string, path ...string) string {
	return fmt.Sprintf("/subscriptions/%s/resourceGroups/%s/providers/%s/%s", subscription, group, kind, strings.Join(path, "/"))
}

// groupOf returns the subscription and the resource group within an ID, as far as it has
// them.
func groupOf(id string) (subscription, group string) {
	parts := append(strings.Split(id, "/"), "", "", "", "", "")
	return parts[2], parts[4]
}
