package arm

import (
	"fmt"
	"slices"
	"strings"

	azarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"
)

// ResourceGroup is a resource group. The module of the SDK that has this type is not
// needed for anything else.
type ResourceGroup struct {
	ID         *string                  `json:"id,omitempty"`
	Name       *string                  `json:"name,omitempty"`
	Type       *string                  `json:"type,omitempty"`
	Location   *string                  `json:"location,omitempty"`
	Tags       map[string]*string       `json:"tags,omitempty"`
	Properties *ResourceGroupProperties `json:"properties,omitempty"`
}

// ResourceGroupProperties are the properties of a resource group.
type ResourceGroupProperties struct {
	ProvisioningState *string `json:"provisioningState,omitempty"`
}

// kind is a type of resource.
type kind struct {
	make func() any
	// part is the last part of the type's name, if within isn't nil.
	part string
	// within is how to reach the resource in its parent; nil if it is a resource by itself.
	within *nest
}

// nest reaches the resources of one type in their parent. Names are compared regardless of
// case.
type nest struct {
	all    func(parent any) []any
	get    func(parent any, name string) any
	set    func(parent, child any)
	remove func(parent any, name string)
}

func of[T any]() kind { return kind{make: func() any { return new(T) }} }

// in returns the kind of C, which P holds in the list that list points to.
func in[P, C any](part string, list func(*P) *[]*C) kind {
	named := func(name string) func(*C) bool {
		return func(c *C) bool { return strings.EqualFold(nameOf(idOf(c)), name) }
	}
	k := of[C]()
	k.part = part
	k.within = &nest{
		all: func(parent any) []any {
			var all []any
			for _, c := range *list(parent.(*P)) {
				all = append(all, c)
			}
			return all
		},
		get: func(parent any, name string) any {
			l := *list(parent.(*P))
			if i := slices.IndexFunc(l, named(name)); i >= 0 {
				return l[i]
			}
			return nil
		},
		set: func(parent, child any) {
			l, c := list(parent.(*P)), child.(*C)
			if i := slices.IndexFunc(*l, named(nameOf(idOf(c)))); i >= 0 {
				(*l)[i] = c
				return
			}
			*l = append(*l, c)
		},
		remove: func(parent any, name string) {
			l := list(parent.(*P))
			*l = slices.DeleteFunc(*l, named(name))
		},
	}
	return k
}

// kinds are the types of resources that there can be, by their lower-case names.
var kinds = map[string]kind{
	"microsoft.resources/subscriptions":  of[armsubscriptions.Subscription](),
	"microsoft.resources/resourcegroups": of[ResourceGroup](),

	"microsoft.compute/virtualmachines": of[armcompute.VirtualMachine](),

	"microsoft.network/networkinterfaces":            of[armnetwork.Interface](),
	"microsoft.network/virtualnetworks":              of[armnetwork.VirtualNetwork](),
	"microsoft.network/routetables":                  of[armnetwork.RouteTable](),
	"microsoft.network/networksecuritygroups":        of[armnetwork.SecurityGroup](),
	"microsoft.network/publicipaddresses":            of[armnetwork.PublicIPAddress](),
	"microsoft.network/natgateways":                  of[armnetwork.NatGateway](),
	"microsoft.network/virtualnetworkgateways":       of[armnetwork.VirtualNetworkGateway](),
	"microsoft.network/virtualhubs":                  of[armnetwork.VirtualHub](),
	"microsoft.network/virtualhubs/ipconfigurations": of[armnetwork.HubIPConfiguration](),
	"microsoft.network/virtualhubs/bgpconnections":   of[armnetwork.BgpConnection](),

	"microsoft.network/virtualnetworks/subnets": in("subnets", func(v *armnetwork.VirtualNetwork) *[]*armnetwork.Subnet {
		return &v.Properties.Subnets
	}),
	"microsoft.network/virtualnetworks/virtualnetworkpeerings": in("virtualNetworkPeerings", func(v *armnetwork.VirtualNetwork) *[]*armnetwork.VirtualNetworkPeering {
		return &v.Properties.VirtualNetworkPeerings
	}),
	"microsoft.network/routetables/routes": in("routes", func(t *armnetwork.RouteTable) *[]*armnetwork.Route {
		return &t.Properties.Routes
	}),
	"microsoft.network/networksecuritygroups/securityrules": in("securityRules", func(g *armnetwork.SecurityGroup) *[]*armnetwork.SecurityRule {
		return &g.Properties.SecurityRules
	}),
}

func kindOf(id string) (kind, error) {
	parsed, err := azarm.ParseResourceID(id)
	if err != nil {
		return kind{}, err
	}
	k, ok := kinds[strings.ToLower(parsed.ResourceType.String())]
	if !ok {
		return kind{}, fmt.Errorf("%s: there are no resources of type %s", id, parsed.ResourceType)
	}
	return k, nil
}
