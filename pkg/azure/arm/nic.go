package arm

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

// nics reads the NICs that Ask names.
func (r *reading) nics(ctx context.Context) error {
	for _, name := range r.ask.Spokes {
		id := r.nicID(name)
		if slices.ContainsFunc(r.s.NICs, func(n azure.NIC) bool { return n.ID == id }) {
			continue
		}
		n, err := r.readNIC(ctx, id)
		if err := r.missing(id, azure.WhatNIC, err); err != nil {
			return err
		}
		if err == nil {
			r.s.NICs = append(r.s.NICs, n)
		}
	}
	return nil
}

// nicID returns the resource ID of a NIC that is named by it, by NAME in the VM's resource
// group, or by RESOURCEGROUP/NAME.
func (r *reading) nicID(name string) string {
	if strings.HasPrefix(name, "/") {
		return strings.ToLower(name)
	}
	group, nic, both := strings.Cut(name, "/")
	if !both {
		group, nic = r.s.VM.ResourceGroup, name
	}
	return strings.ToLower("/subscriptions/" + r.s.VM.Subscription + "/resourceGroups/" + group +
		"/providers/Microsoft.Network/networkInterfaces/" + nic)
}

func (c *Client) readNIC(ctx context.Context, id string) (azure.NIC, error) {
	answer, at, err := c.getNIC(ctx, id)
	if err != nil {
		return azure.NIC{}, err
	}
	n := azure.NIC{ID: strings.ToLower(id), Name: at.name, ResourceGroup: at.group}
	p := val(answer.Properties)
	n.Primary, n.MAC, n.IPForwarding = val(p.Primary), val(p.MacAddress), val(p.EnableIPForwarding)
	n.VM, n.SecurityGroup = low(val(p.VirtualMachine).ID), low(val(p.NetworkSecurityGroup).ID)
	for config := range each(p.IPConfigurations) {
		addConfig(&n, val(config.Properties))
	}
	return n, nil
}

// addConfig adds what an IP configuration says of its NIC.
func addConfig(n *azure.NIC, p armnetwork.InterfaceIPConfigurationPropertiesFormat) {
	n.PublicIP = n.PublicIP || p.PublicIPAddress != nil
	if a := address(p.PrivateIPAddress); a.Is4() {
		if val(p.Primary) {
			n.Addresses = append([]netip.Addr{a}, n.Addresses...)
		} else {
			n.Addresses = append(n.Addresses, a)
		}
	}
	if p.Subnet != nil && (n.Subnet == "" || val(p.Primary)) {
		n.Subnet = low(p.Subnet.ID)
		n.VNet = parent(n.Subnet)
	}
}

// place is where a resource is.
type place struct{ subscription, group, name string }

// locate returns where the resource with that ID is.
func locate(id string) (place, error) {
	at, err := parse(id)
	if err != nil {
		return place{}, err
	}
	return place{at.SubscriptionID, at.ResourceGroupName, at.Name}, nil
}

// networkOf returns where the resource with that ID is, and the clients for its subscription.
func (c *Client) networkOf(id string) (*armnetwork.ClientFactory, place, error) {
	at, err := locate(id)
	if err != nil {
		return nil, at, err
	}
	f, err := c.network(at.subscription)
	return f, at, err
}

func (c *Client) getNIC(ctx context.Context, id string) (armnetwork.Interface, place, error) {
	f, at, err := c.networkOf(id)
	if err != nil {
		return armnetwork.Interface{}, at, err
	}
	c.begin("NIC " + at.name)
	answer, err := f.NewInterfacesClient().Get(ctx, at.group, at.name, nil)
	return answer.Interface, at, err
}

// effective reads the effective routes and rules of all NICs.
func (r *reading) effective(ctx context.Context) error {
	for i := range r.s.NICs {
		n := &r.s.NICs[i]
		routes, err := r.effectiveRoutes(ctx, n.ID)
		if err := r.missing(n.ID, azure.WhatEffectiveRoutes, err); err != nil {
			return err
		}
		n.Routes = routes
		rules, err := r.effectiveRules(ctx, n.ID)
		if err := r.missing(n.ID, azure.WhatEffectiveRules, err); err != nil {
			return err
		}
		n.Rules = rules
	}
	return nil
}

func (c *Client) effectiveRoutes(ctx context.Context, id string) ([]azure.EffectiveRoute, error) {
	f, at, err := c.networkOf(id)
	if err != nil {
		return nil, err
	}
	answer, err := wait(ctx, c, "the effective routes of NIC "+at.name,
		func() (*runtime.Poller[armnetwork.InterfacesClientGetEffectiveRouteTableResponse], error) {
			return f.NewInterfacesClient().BeginGetEffectiveRouteTable(ctx, at.group, at.name, nil)
		})
	if err != nil {
		return nil, err
	}
	if len(answer.Value) > maxItems {
		return nil, refuse("%d effective routes: more than %d are not read", len(answer.Value), maxItems)
	}
	var out []azure.EffectiveRoute
	for e := range each(answer.Value) {
		out = append(out, azure.EffectiveRoute{
			Name: val(e.Name), Source: str(e.Source), Active: str(e.State) == string(armnetwork.EffectiveRouteStateActive),
			Prefixes: prefixes(e.AddressPrefix), NextHopType: str(e.NextHopType), NextHops: addresses(e.NextHopIPAddress),
		})
	}
	return out, nil
}

func (c *Client) effectiveRules(ctx context.Context, id string) ([]azure.SecurityRule, error) {
	f, at, err := c.networkOf(id)
	if err != nil {
		return nil, err
	}
	answer, err := wait(ctx, c, "the effective security rules of NIC "+at.name,
		func() (*runtime.Poller[armnetwork.InterfacesClientListEffectiveNetworkSecurityGroupsResponse], error) {
			return f.NewInterfacesClient().BeginListEffectiveNetworkSecurityGroups(ctx, at.group, at.name, nil)
		})
	if err != nil {
		return nil, err
	}
	var out []azure.SecurityRule
	for g := range each(answer.Value) {
		for e := range each(g.EffectiveSecurityRules) {
			out = append(out, securityRule(low(val(g.NetworkSecurityGroup).ID), e))
		}
	}
	if len(out) > maxItems {
		return nil, refuse("%d effective security rules: more than %d are not read", len(out), maxItems)
	}
	return out, nil
}

func securityRule(group string, e armnetwork.EffectiveNetworkSecurityRule) azure.SecurityRule {
	return azure.SecurityRule{
		Group: group, Name: val(e.Name), Priority: int(val(e.Priority)), Protocol: str(e.Protocol),
		Inbound:      str(e.Direction) == string(armnetwork.SecurityRuleDirectionInbound),
		Allow:        str(e.Access) == string(armnetwork.SecurityRuleAccessAllow),
		SourcePorts:  ports(e.SourcePortRange, e.SourcePortRanges),
		Ports:        ports(e.DestinationPortRange, e.DestinationPortRanges),
		Sources:      rulePrefixes(e.ExpandedSourceAddressPrefix, e.SourceAddressPrefixes, e.SourceAddressPrefix),
		Destinations: rulePrefixes(e.ExpandedDestinationAddressPrefix, e.DestinationAddressPrefixes, e.DestinationAddressPrefix),
	}
}

// rulePrefixes returns the addresses of a rule: what Azure expanded a service tag to, or
// what the rule itself says.
func rulePrefixes(expanded, several []*string, one *string) []netip.Prefix {
	if len(expanded) > 0 {
		return unique(prefixes(expanded))
	}
	return unique(prefixes(several, []*string{one}))
}

// unique drops repetitions: Azure writes 0.0.0.0/0 twice.
func unique[T comparable](list []T) []T {
	var out []T
	seen := map[T]bool{}
	for _, v := range list {
		if !seen[v] {
			out = append(out, v)
		}
		seen[v] = true
	}
	return out
}

// ports returns the ranges of a rule; an asterisk is any port.
func ports(one *string, several []*string) []string {
	var out []string
	for _, text := range append(strs(several), val(one)) {
		switch {
		case text == "*":
			out = append(out, "0-65535")
		case text != "":
			out = append(out, text)
		}
	}
	return unique(out)
}
