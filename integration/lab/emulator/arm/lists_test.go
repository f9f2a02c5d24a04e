package arm_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

// crowd adds VMs, of which every second has the tag nvad=site1.
func crowd(b *bed, n int) {
	site := b.state.Site("", "")
	for i := range n {
		m := arm.VM{Name: fmt.Sprintf("vm-%02d", i), Subnet: b.hub.VNet + "/subnets/default", Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i)})}}
		if i%2 == 0 {
			m.Tags = map[string]string{"nvad": "site1", "owner": "o'neill"}
		}
		site.VM(m)
	}
}

func TestPages(t *testing.T) {
	for size, pages := range map[int]int{0: 1, 1: 8, 3: 3, 4: 2, 7: 2, 8: 1, 100: 1} {
		b := newBed(t)
		crowd(b, 7)
		b.server.Be(arm.Behaviour{Anyone: true, PageSize: size})
		var names []string
		got := 0
		for p := b.compute().NewVirtualMachinesClient().NewListAllPager(nil); p.More(); got++ {
			page, err := p.NextPage(t.Context())
			check(t, err)
			for _, vm := range page.Value {
				names = append(names, *vm.Name)
			}
		}
		if got != pages || strings.Join(names, " ") != "vm-00 vm-01 vm-02 vm-03 vm-04 vm-05 vm-06 vm-hub00" {
			t.Errorf("pages of %d: %d pages, %v", size, got, names)
		}
	}
}

// Two clients that read the same list at the same time each get all of it.
func TestPagesOfTwoClients(t *testing.T) {
	b := newBed(t)
	crowd(b, 5)
	b.server.Be(arm.Behaviour{Anyone: true, PageSize: 2})
	one, two := b.compute().NewVirtualMachinesClient().NewListPager(arm.Group, nil), b.compute().NewVirtualMachinesClient().NewListPager(arm.Group, nil)
	counts := map[string]int{}
	for one.More() {
		first, err := one.NextPage(t.Context())
		check(t, err)
		second, err := two.NextPage(t.Context())
		check(t, err)
		for _, vm := range append(append([]*armcompute.VirtualMachine{}, first.Value...), second.Value...) {
			counts[*vm.Name]++
		}
	}
	if two.More() || len(counts) != 6 {
		t.Errorf("more %v, %v", two.More(), counts)
	}
	for name, n := range counts {
		if n != 2 {
			t.Errorf("%s was listed %d times", name, n)
		}
	}
}

func TestPartsOfResourcesAreListed(t *testing.T) {
	b := newBed(t)
	site := b.state.Site("", "")
	spoke := site.VNet("vnet-spoke", []string{"10.1.0.0/16"}, arm.Subnet{Name: "default", Prefix: "10.1.0.0/24"})
	b.state.Peer(b.hub.VNet, spoke, true)
	site.RouteTable("rt", true, arm.UserRoute{Name: "default", Prefix: "0.0.0.0/0", Hops: []string{"10.0.0.4"}})
	site.SecurityGroup("nsg", arm.Rule{Name: "vxlan", Priority: 100, Inbound: true, Allow: true, Protocol: "Udp", Port: "4789"})
	base := "https://management.azure.com" + groupScope + "/providers/Microsoft.Network/"
	for path, want := range map[string]string{
		"virtualNetworks":                                         "vnet-hub00 vnet-spoke",
		"virtualNetworks/vnet-hub00/subnets":                      "default RouteServerSubnet",
		"virtualNetworks/vnet-hub00/virtualNetworkPeerings":       "to-vnet-spoke",
		"routeTables/rt/routes":                                   "default",
		"networkSecurityGroups/nsg/securityRules":                 "vxlan",
		"virtualHubs/rs-hub00/ipConfigurations":                   "default",
		"virtualHubs/rs-hub00/bgpConnections":                     "vm-hub00",
		"virtualNetworkGateways":                                  "",
		"VIRTUALNETWORKS/VNET-HUB00/virtualnetworkpeerings":       "to-vnet-spoke",
		"networkInterfaces":                                       "vm-hub00-nic",
		"../../../../providers/Microsoft.Network/virtualHubs":     "rs-hub00",
		"../../../../providers/Microsoft.Network/natGateways":     "",
		"../../../../providers/Microsoft.Compute/virtualMachines": "vm-hub00",
	} {
		address, err := url.JoinPath(base, path)
		check(t, err)
		status, r := b.raw("GET", address+"?api-version=2025-05-01", "ok", "")
		var names []string
		for _, v := range r.Value {
			names = append(names, v["name"].(string))
		}
		if status != 200 || strings.Join(names, " ") != want {
			t.Errorf("%s: %d %v %+v", path, status, names, r.Error)
		}
	}
}

func TestResourcesByTag(t *testing.T) {
	b := newBed(t)
	crowd(b, 3)
	b.server.Be(arm.Behaviour{PageSize: 1})
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"Microsoft.Compute/virtualMachines/read", "Microsoft.Resources/subscriptions/resources/read"}}, groupScope)
	list := func(scope, filter string) string {
		var names []string
		next := "https://management.azure.com" + scope + "/resources?api-version=2021-04-01&$filter=" + url.QueryEscape(filter)
		for next != "" {
			status, r := b.raw("GET", next, "ok", "")
			if status != 200 {
				return fmt.Sprint(status, " ", r.Error.Code)
			}
			for _, v := range r.Value {
				names = append(names, v["name"].(string))
			}
			next = r.NextLink
		}
		return strings.Join(names, " ")
	}
	subscription := "/subscriptions/" + arm.Subscription
	for filter, want := range map[string]string{
		"":                  "vm-00 vm-01 vm-02 vm-hub00",
		"tagName eq 'nvad'": "vm-00 vm-02",
		"tagName eq 'NVAD' and tagValue eq 'site1'":             "vm-00 vm-02",
		"tagName eq 'nvad' and tagValue eq 'Site1'":             "",
		"tagName eq 'owner' and tagValue eq 'o''neill'":         "vm-00 vm-02",
		"resourceType eq 'Microsoft.Network/networkInterfaces'": "",
		"resourceType eq 'microsoft.compute/virtualmachines'":   "vm-00 vm-01 vm-02 vm-hub00",
		"tagName ne 'nvad'":         "400 InvalidFilterInQueryString",
		"name eq 'vm-00'":           "400 InvalidFilterInQueryString",
		"tagName eq 'nvad' or true": "400 InvalidFilterInQueryString",
	} {
		for _, scope := range []string{subscription, groupScope} {
			if got := list(scope, filter); got != want {
				t.Errorf("%s of %s: %s", filter, scope, got)
			}
		}
	}
	stranger := *b
	stranger.claims.Object = "33333333-3333-3333-3333-333333333333"
	b = &stranger
	if got := list(subscription, ""); got != "403 AuthorizationFailed" {
		t.Errorf("a stranger lists %s", got)
	}
}

func TestSubscriptionsAndGroups(t *testing.T) {
	b := newBed(t)
	other := "00000000-0000-0000-0000-000000000002"
	b.state.Site(other, "rg-other")
	b.state.Site("", "rg-second")
	b.server.Be(arm.Behaviour{})
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"*/read"}}, groupScope)
	names := func(path, key string) string {
		_, r := b.raw("GET", "https://management.azure.com"+path+"?api-version=2021-01-01", "ok", "")
		var list []string
		for _, v := range r.Value {
			list = append(list, v[key].(string))
		}
		return strings.Join(list, " ") + r.Error.Code
	}
	if got := names("/subscriptions", "subscriptionId"); got != arm.Subscription {
		t.Errorf("subscriptions %s", got)
	}
	if got := names("/subscriptions/"+arm.Subscription+"/resourceGroups", "name"); got != arm.Group {
		t.Errorf("groups %s", got)
	}
	if status, r := b.raw("GET", "https://management.azure.com"+groupScope+"?api-version=2021-01-01", "ok", ""); status != 200 || r.object["location"] != arm.Location {
		t.Errorf("group: %d %v", status, r.object)
	}
	if status, r := b.raw("GET", "https://management.azure.com/subscriptions/"+other+"?api-version=2021-01-01", "ok", ""); status != 403 {
		t.Errorf("another subscription: %d %v", status, r.object)
	}
	b.server.Be(arm.Behaviour{Anyone: true})
	for path, code := range map[string]string{
		"/subscriptions/00000000-0000-0000-0000-000000000009":                                                      "SubscriptionNotFound",
		"/subscriptions/00000000-0000-0000-0000-000000000009/providers/Microsoft.Network/virtualHubs":              "SubscriptionNotFound",
		"/subscriptions/" + arm.Subscription + "/resourceGroups/rg-none":                                           "ResourceGroupNotFound",
		"/subscriptions/" + arm.Subscription + "/resourceGroups/rg-none/providers/Microsoft.Network/virtualHubs":   "ResourceGroupNotFound",
		"/subscriptions/" + arm.Subscription + "/resourceGroups/rg-none/providers/Microsoft.Network/virtualHubs/a": "ResourceGroupNotFound",
		groupScope + "/providers/Microsoft.Network/virtualNetworks/vnet-none/subnets":                              "ResourceNotFound",
		groupScope + "/providers/Microsoft.Network/virtualNetworks/vnet-none/subnets/default":                      "ResourceNotFound",
		groupScope + "/providers/Microsoft.Network/virtualHubs/rs-none/bgpConnections":                             "ResourceNotFound",
		groupScope + "/providers/Microsoft.Network/expressRouteCircuits":                                           "InvalidResourceType",
		groupScope + "/providers/Microsoft.Network/expressRouteCircuits/a":                                         "InvalidResourceType",
		"/subscriptions/" + arm.Subscription + "/providers/Microsoft.Network/virtualHubs/rs-hub00":                 "InvalidResourceType",
		"/": "NotFound", "/providers": "NotFound", groupScope + "/nonsense": "NotFound",
	} {
		if status, r := b.raw("GET", "https://management.azure.com"+path+"?api-version=2021-01-01", "ok", ""); status != 404 || r.Error.Code != code {
			t.Errorf("%s: %d %+v, want %s", path, status, r.Error, code)
		}
	}
}
