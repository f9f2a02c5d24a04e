package arm

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// settle keeps what a client can't write, and refuses what Azure refuses. The State is locked.
func (c *call) settle(old, value any) *Problem {
	switch v := value.(type) {
	case *armnetwork.Interface:
		return c.settleNIC(old, v)
	case *armnetwork.BgpConnection:
		return c.settleConnection(old, v)
	case *armnetwork.VirtualNetworkPeering:
		return c.settlePeering(v)
	case *armnetwork.VirtualHub:
		if o, ok := old.(*armnetwork.VirtualHub); ok {
			p, q := v.Properties, o.Properties
			v.Kind, p.VirtualRouterIPs, p.VirtualRouterAsn = o.Kind, q.VirtualRouterIPs, q.VirtualRouterAsn
			p.IPConfigurations, p.RoutingState = q.IPConfigurations, q.RoutingState
		}
	case *armnetwork.HubIPConfiguration:
		if subnet := v.Properties.Subnet; subnet == nil || subnet.ID == nil {
			return problem(http.StatusBadRequest, "InvalidRequestFormat", "%s has no subnet.", c.id)
		}
	case *armnetwork.Subnet:
		return checkSubnet(v)
	case *armnetwork.VirtualNetwork:
		if a := v.Properties.AddressSpace; a == nil || !arePrefixes(a.AddressPrefixes) {
			return problem(http.StatusBadRequest, "InvalidAddressPrefixFormat", "The address space of %s is invalid.", c.id)
		}
		for _, subnet := range v.Properties.Subnets {
			if p := checkSubnet(subnet); p != nil {
				return p
			}
		}
		for _, peering := range v.Properties.VirtualNetworkPeerings {
			if r := peering.Properties.RemoteVirtualNetwork; r == nil || r.ID == nil {
				return problem(http.StatusBadRequest, "InvalidRequestFormat", "A peering of %s has no remoteVirtualNetwork.", c.id)
			}
		}
		if o, ok := old.(*armnetwork.VirtualNetwork); ok && v.Properties.VirtualNetworkPeerings == nil {
			v.Properties.VirtualNetworkPeerings = o.Properties.VirtualNetworkPeerings
		}
	case *armnetwork.SecurityGroup:
		v.Properties.DefaultSecurityRules = nil
		for _, r := range defaultRules {
			v.Properties.DefaultSecurityRules = append(v.Properties.DefaultSecurityRules, r.resource(c.id+"/defaultSecurityRules/"))
		}
	case *armnetwork.Route:
		return c.checkRoute(v, c.hops[c.id])
	case *armnetwork.RouteTable:
		for _, r := range v.Properties.Routes {
			if p := c.checkRoute(r, c.hops[*r.ID]); p != nil {
				return p
			}
		}
	}
	return nil
}

func (c *call) settleNIC(old any, v *armnetwork.Interface) *Problem {
	if o, ok := old.(*armnetwork.Interface); ok {
		p, q := v.Properties, o.Properties
		p.VirtualMachine, p.MacAddress, p.Primary, p.ResourceGUID = q.VirtualMachine, q.MacAddress, q.Primary, q.ResourceGUID
	}
	if len(v.Properties.IPConfigurations) == 0 {
		return problem(http.StatusBadRequest, "NetworkInterfaceMustHaveAtLeastOneIpConfiguration", "Network interface %s must have one or more IP configurations.", c.id)
	}
	for _, config := range v.Properties.IPConfigurations {
		if config.Properties == nil || config.Properties.Subnet == nil || config.Properties.Subnet.ID == nil {
			return problem(http.StatusBadRequest, "InvalidRequestFormat", "An IP configuration of %s has no subnet.", c.id)
		}
		if a := config.Properties.PrivateIPAddress; a == nil || !isAddress(*a) {
			return problem(http.StatusBadRequest, "InvalidRequestFormat", "An IP configuration of %s has no valid private IP address.", c.id)
		}
		if subnet := *config.Properties.Subnet.ID; c.server.State.find(subnet) == nil {
			return problem(http.StatusBadRequest, "InvalidResourceReference",
				"Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", subnet, c.id)
		}
	}
	return nil
}

func checkSubnet(v *armnetwork.Subnet) *Problem {
	prefixes := v.Properties.AddressPrefixes
	if v.Properties.AddressPrefix != nil {
		prefixes = append(prefixes[:len(prefixes):len(prefixes)], v.Properties.AddressPrefix)
	}
	if !arePrefixes(prefixes) {
		return problem(http.StatusBadRequest, "InvalidAddressPrefixFormat", "The address prefix of %s is invalid.", *v.ID)
	}
	return nil
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// arePrefixes reports whether there is at least one prefix, and nothing else.
func arePrefixes(list []*string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(text *string) bool {
		_, err := netip.ParsePrefix(*text)
		return err != nil
	})
}

// The ASNs that a peer of a Route Server can't have. [Route Server FAQ]
var reservedASNs = []int64{8074, 8075, 12076, 65515, 65517, 65518, 65519, 65520, 23456, 65535}

// MaxPeers is how many peers a Route Server may have.
const MaxPeers = 8

// settleConnection refuses peers that a Route Server can't have. Which code Azure gives for
// each is not documented.
func (c *call) settleConnection(old any, v *armnetwork.BgpConnection) *Problem {
	refuse := func(code, format string, args ...any) *Problem {
		return problem(http.StatusBadRequest, code, format, args...)
	}
	p := v.Properties
	if p.PeerIP == nil || p.PeerAsn == nil {
		return refuse("InvalidRequestFormat", "peerIp and peerAsn of %s are required.", c.id)
	}
	addr, err := netip.ParseAddr(*p.PeerIP)
	asn := *p.PeerAsn
	switch {
	case err != nil || !addr.Is4():
		return refuse("HubBgpConnectionPeerIpInvalid", "'%s' is not an IPv4 address.", *p.PeerIP)
	case asn < 1 || asn > 65535:
		return refuse("HubBgpConnectionPeerAsnInvalid", "Peer ASN %d is not supported. Only 16-bit ASNs are.", asn)
	case slices.Contains(reservedASNs, asn) || (asn >= 64496 && asn <= 64511):
		return refuse("HubBgpConnectionPeerAsnInvalid", "Peer ASN %d is reserved by Azure or IANA.", asn)
	}
	hub := parentOf(c.id)
	if !c.server.State.near(hub, addr) {
		return refuse("HubBgpConnectionPeerIpNotReachable", "Peer %s is neither in the virtual network of %s nor in one that is directly peered with it.", addr, hub)
	}
	count := 0
	for id, other := range c.server.State.resources {
		conn, ok := other.(*armnetwork.BgpConnection)
		if !ok || parentOf(id) != hub || id == strings.ToLower(c.id) {
			continue
		}
		if count++; *conn.Properties.PeerIP == addr.String() {
			return refuse("HubBgpConnectionPeerIpAlreadyUsed", "Peer %s is already that of connection %s.", addr, *conn.ID)
		}
	}
	if old == nil && count >= MaxPeers {
		return refuse("HubBgpConnectionLimitReached", "%s has %d BGP connections, the most that it may have.", hub, count)
	}
	if o, ok := old.(*armnetwork.BgpConnection); ok {
		p.ConnectionState = o.Properties.ConnectionState
	}
	return nil
}

// near reports whether an address is in the VNet of a Route Server or in one peered with it.
func (s *State) near(hub string, a netip.Addr) bool {
	has := func(space *armnetwork.AddressSpace) bool {
		return space != nil && slices.ContainsFunc(space.AddressPrefixes, func(text *string) bool {
			p, err := netip.ParsePrefix(*text)
			return err == nil && p.Contains(a)
		})
	}
	for id, r := range s.resources {
		config, ok := r.(*armnetwork.HubIPConfiguration)
		if !ok || parentOf(id) != hub {
			continue
		}
		vnet, ok := s.resources[parentOf(*config.Properties.Subnet.ID)].(*armnetwork.VirtualNetwork)
		if !ok {
			continue
		}
		if has(vnet.Properties.AddressSpace) {
			return true
		}
		for _, p := range vnet.Properties.VirtualNetworkPeerings {
			if has(p.Properties.RemoteVirtualNetworkAddressSpace) || has(p.Properties.RemoteAddressSpace) {
				return true
			}
		}
	}
	return false
}

// settlePeering takes over the other VNet's address space, and connects the peering if the
// other side is there.
func (c *call) settlePeering(v *armnetwork.VirtualNetworkPeering) *Problem {
	p := v.Properties
	if p.RemoteVirtualNetwork == nil || p.RemoteVirtualNetwork.ID == nil {
		return problem(http.StatusBadRequest, "InvalidRequestFormat", "remoteVirtualNetwork of %s is required.", c.id)
	}
	remote, ok := c.server.State.find(*p.RemoteVirtualNetwork.ID).(*armnetwork.VirtualNetwork)
	if !ok {
		return problem(http.StatusBadRequest, "InvalidResourceReference",
			"Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", *p.RemoteVirtualNetwork.ID, c.id)
	}
	p.RemoteAddressSpace, p.RemoteVirtualNetworkAddressSpace = remote.Properties.AddressSpace, remote.Properties.AddressSpace
	p.PeeringSyncLevel, p.PeeringState = to.Ptr(armnetwork.VirtualNetworkPeeringLevelFullyInSync), to.Ptr(armnetwork.VirtualNetworkPeeringStateInitiated)
	for _, back := range remote.Properties.VirtualNetworkPeerings {
		if strings.EqualFold(*back.Properties.RemoteVirtualNetwork.ID, parentOf(c.id)) {
			connected := to.Ptr(armnetwork.VirtualNetworkPeeringStateConnected)
			p.PeeringState = connected
			id := *back.ID
			c.then = func() {
				if b, ok := c.server.State.find(id).(*armnetwork.VirtualNetworkPeering); ok {
					b.Properties.PeeringState = connected
				}
			}
		}
	}
	return nil
}
