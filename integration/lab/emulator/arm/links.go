package arm

import (
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// link is a resource that a written one refers to, and the action that the writer needs there.
type link struct {
	id     *string
	action string
}

const (
	joinSubnet        = TypeVNet + "/subnets/join/action"
	joinSecurityGroup = TypeSecurityGroup + "/join/action"
	joinRouteTable    = TypeRouteTable + "/join/action"
	joinNATGateway    = TypeNATGateway + "/join/action"
	joinPublicAddress = TypePublicAddress + "/join/action"
	joinPool          = "Microsoft.Network/loadBalancers/backendAddressPools/join/action"
	joinGroup         = "Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action"
	peerVNet          = TypeVNet + "/peer/action"
)

// links returns what a resource refers to.
func links(value any) []link {
	switch v := value.(type) {
	case *armnetwork.Interface:
		return nicLinks(v.Properties)
	case *armnetwork.Subnet:
		return subnetLinks(v)
	case *armnetwork.VirtualNetwork:
		var list []link
		for _, s := range v.Properties.Subnets {
			list = append(list, subnetLinks(s)...)
		}
		return list
	case *armnetwork.VirtualNetworkPeering:
		if remote := v.Properties.RemoteVirtualNetwork; remote != nil {
			return []link{{remote.ID, peerVNet}}
		}
	}
	return nil
}

func nicLinks(p *armnetwork.InterfacePropertiesFormat) []link {
	var list []link
	if p.NetworkSecurityGroup != nil {
		list = append(list, link{p.NetworkSecurityGroup.ID, joinSecurityGroup})
	}
	for _, c := range p.IPConfigurations {
		if c.Properties == nil {
			continue
		}
		if c.Properties.Subnet != nil {
			list = append(list, link{c.Properties.Subnet.ID, joinSubnet})
		}
		if c.Properties.PublicIPAddress != nil {
			list = append(list, link{c.Properties.PublicIPAddress.ID, joinPublicAddress})
		}
		for _, pool := range c.Properties.LoadBalancerBackendAddressPools {
			list = append(list, link{pool.ID, joinPool})
		}
		for _, g := range c.Properties.ApplicationSecurityGroups {
			list = append(list, link{g.ID, joinGroup})
		}
	}
	return list
}

func subnetLinks(s *armnetwork.Subnet) []link {
	var list []link
	if s.Properties == nil {
		return nil
	}
	if t := s.Properties.RouteTable; t != nil {
		list = append(list, link{t.ID, joinRouteTable})
	}
	if g := s.Properties.NetworkSecurityGroup; g != nil {
		list = append(list, link{g.ID, joinSecurityGroup})
	}
	if n := s.Properties.NatGateway; n != nil {
		list = append(list, link{n.ID, joinNATGateway})
	}
	return list
}

// authorizeLinks checks that the caller may refer to what a written resource refers to. The
// text is Resource Manager's.
func (c *call) authorizeLinks(value any) *Problem {
	for _, l := range links(value) {
		if l.id == nil || c.authorize(l.action, *l.id) == nil {
			continue
		}
		return problem(http.StatusForbidden, "LinkedAuthorizationFailed",
			"The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, it does not have permission to perform action(s) '%s' on the linked scope(s) '%s' (respectively) or the linked scope(s) are invalid.",
			c.caller.client, c.caller.object, c.api.kind+"/write", c.id, l.action, *l.id)
	}
	return nil
}
