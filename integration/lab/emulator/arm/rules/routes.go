package rules

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Model answers for a network that exists only as a State and what NVAs send.
type Model struct {
	State *arm.State
	// Sent returns what the NVAs send.
	Sent func() Sent
	// Circuit are the routes that each gateway learns over its circuit, by the lower-case ID
	// of the gateway.
	Circuit map[string][]Route
}

var _ arm.Routes = Model{}

// Network returns the network as it is.
func (m Model) Network() Network {
	n := Read(m.State)
	for i, g := range n.Gateways {
		n.Gateways[i].Circuit = m.Circuit[g.ID]
	}
	return n
}

// Effective implements [arm.Routes].
func (m Model) Effective(_ context.Context, id string) ([]*armnetwork.EffectiveRoute, error) {
	n := m.Network()
	nic, err := n.nic(id)
	if err != nil {
		return nil, err
	}
	routes, _ := n.Effective(nic, m.Sent())
	return EffectiveRoutes(routes), nil
}

// EffectiveRules implements [arm.Routes].
func (m Model) EffectiveRules(_ context.Context, id string) ([]*armnetwork.EffectiveNetworkSecurityGroup, error) {
	n := m.Network()
	nic, err := n.nic(id)
	if err != nil {
		return nil, err
	}
	return n.EffectiveGroups(nic), nil
}

// Learned implements [arm.Routes].
func (m Model) Learned(_ context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error) {
	return m.ofConnection(hub, connection, Network.Learned, func(s Session, r Route) *armnetwork.PeerRoute {
		return PeerRoute(s.Instance, s.NVA, r.Prefix, r.NextHop, r.ASPath)
	})
}

// Advertised implements [arm.Routes].
func (m Model) Advertised(_ context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error) {
	return m.ofConnection(hub, connection, Network.Advertised, func(s Session, r Route) *armnetwork.PeerRoute {
		return PeerRoute(s.Instance, netip.Addr{}, r.Prefix, r.NextHop, r.ASPath)
	})
}

func (m Model) ofConnection(hub, connection string, list func(Network, Session, Sent) []Route, write func(Session, Route) *armnetwork.PeerRoute) (map[string][]*armnetwork.PeerRoute, error) {
	n, sent := m.Network(), m.Sent()
	c, ok := arm.Get[armnetwork.BgpConnection](m.State, ConnectionID(hub, connection))
	i := slices.IndexFunc(n.RouteServers, func(rs RouteServer) bool { return rs.ID == strings.ToLower(hub) })
	if !ok || i < 0 {
		return nil, fmt.Errorf("%s has no connection %s", hub, connection)
	}
	answer := map[string][]*armnetwork.PeerRoute{}
	for i, instance := range n.RouteServers[i].Addresses {
		s := Session{netip.MustParseAddr(*c.Properties.PeerIP), instance}
		rows := []*armnetwork.PeerRoute{}
		for _, r := range list(n, s, sent) {
			rows = append(rows, write(s, r))
		}
		answer[Role(i)] = rows
	}
	return answer, nil
}

// ConnectionID returns the ID of a Route Server's connection, which may be named by its ID
// already.
func ConnectionID(hub, connection string) string {
	if strings.HasPrefix(connection, "/") {
		return connection
	}
	return hub + "/bgpConnections/" + connection
}

// GatewayLearned implements [arm.Routes].
func (m Model) GatewayLearned(_ context.Context, id string) ([]*armnetwork.GatewayRoute, error) {
	n := m.Network()
	var rows []*armnetwork.GatewayRoute
	for _, g := range n.Gateways {
		if g.ID != strings.ToLower(id) {
			continue
		}
		for _, r := range n.FromCircuit(g, m.Sent()) {
			rows = append(rows, GatewayRoute(r.Prefix, r.NextHop, r.ASPath))
		}
	}
	return rows, nil
}

// GatewayAdvertised implements [arm.Routes]. The model's gateways have one peer, the
// circuit.
func (m Model) GatewayAdvertised(_ context.Context, id, _ string) ([]*armnetwork.GatewayRoute, error) {
	n := m.Network()
	var rows []*armnetwork.GatewayRoute
	for _, g := range n.Gateways {
		if g.ID != strings.ToLower(id) {
			continue
		}
		for _, p := range n.TowardsCircuit(g, m.Sent()) {
			rows = append(rows, GatewayRoute(p, netip.Addr{}, nil))
		}
	}
	return rows, nil
}

func (n Network) nic(id string) (NIC, error) {
	for _, nic := range n.NICs {
		if nic.ID == strings.ToLower(id) {
			return nic, nil
		}
	}
	return NIC{}, fmt.Errorf("there is no NIC %s", id)
}

// Role returns the name that Azure gives to the instance with the i-th address. Captures show
// that the names need not follow the addresses, so here they never do.
func Role(i int) string { return fmt.Sprintf("RouteServiceRole_IN_%d", 1-i) }

// PeerRoute writes a route as Azure lists it: learned from a peer, or advertised if there is
// none.
func PeerRoute(local, peer netip.Addr, prefix netip.Prefix, hop netip.Addr, path []uint32) *armnetwork.PeerRoute {
	r := &armnetwork.PeerRoute{
		LocalAddress: to.Ptr(local.String()), Network: to.Ptr(prefix.String()), NextHop: to.Ptr(hop.String()),
		AsPath: to.Ptr(dashes(path)), Origin: to.Ptr("Igp"), Weight: to.Ptr[int32](0),
	}
	if peer.IsValid() {
		r.SourcePeer, r.Origin, r.Weight = to.Ptr(peer.String()), to.Ptr("EBgp"), to.Ptr[int32](32768)
	}
	return r
}

// GatewayRoute writes a route of a gateway as Azure lists it.
func GatewayRoute(prefix netip.Prefix, hop netip.Addr, path []uint32) *armnetwork.GatewayRoute {
	r := &armnetwork.GatewayRoute{Network: to.Ptr(prefix.String()), AsPath: to.Ptr(dashes(path)), Origin: to.Ptr("EBgp")}
	if hop.IsValid() {
		r.NextHop = to.Ptr(hop.String())
	}
	return r
}

func dashes(path []uint32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(path), " ", "-"), "[]")
}

// EffectiveRoutes writes effective routes in the words of Azure's API.
func EffectiveRoutes(routes []sdn.EffectiveRoute) []*armnetwork.EffectiveRoute {
	var rows []*armnetwork.EffectiveRoute
	for _, r := range routes {
		row := &armnetwork.EffectiveRoute{
			AddressPrefix: []*string{to.Ptr(r.Prefix.String())}, Source: to.Ptr(sources[r.Source]), State: to.Ptr(armnetwork.EffectiveRouteState(r.State)),
			NextHopType: to.Ptr(armnetwork.RouteNextHopType(apiHopType(r))), NextHopIPAddress: []*string{},
		}
		for _, hop := range r.NextHops {
			row.NextHopIPAddress = append(row.NextHopIPAddress, to.Ptr(hop.String()))
		}
		if r.Name != "" {
			row.Name = to.Ptr(r.Name)
		}
		rows = append(rows, row)
	}
	return rows
}

var sources = map[string]armnetwork.EffectiveRouteSource{
	sdn.SourceDefault: armnetwork.EffectiveRouteSourceDefault, sdn.SourceUser: armnetwork.EffectiveRouteSourceUser,
	sdn.SourceGateway: armnetwork.EffectiveRouteSourceVirtualNetworkGateway,
}

// apiHopType returns the API's word for a next hop type. Routes with several virtual appliances
// have a word of their own.
func apiHopType(r sdn.EffectiveRoute) string {
	if r.NextHopType == sdn.TypeAppliance && len(r.NextHops) > 1 {
		return arm.NextHopECMP
	}
	for api, word := range hopTypes {
		if word == r.NextHopType && api != arm.NextHopECMP {
			return api
		}
	}
	return r.NextHopType
}

// EffectiveGroups writes the security rules of a NIC in the words of Azure's API.
func (n Network) EffectiveGroups(nic NIC) []*armnetwork.EffectiveNetworkSecurityGroup {
	groups := []*armnetwork.EffectiveNetworkSecurityGroup{}
	add := func(g *Group, association *armnetwork.EffectiveNetworkSecurityGroupAssociation) {
		if g == nil {
			return
		}
		out := &armnetwork.EffectiveNetworkSecurityGroup{NetworkSecurityGroup: &armnetwork.SubResource{ID: &g.ID}, Association: association}
		for _, r := range g.Rules {
			out.EffectiveSecurityRules = append(out.EffectiveSecurityRules, n.effectiveRule(nic, r))
		}
		groups = append(groups, out)
	}
	add(n.vnet(nic.VNet).subnet(nic.Subnet).Group, &armnetwork.EffectiveNetworkSecurityGroupAssociation{Subnet: &armnetwork.SubResource{ID: &nic.Subnet}})
	add(nic.Group, &armnetwork.EffectiveNetworkSecurityGroupAssociation{NetworkInterface: &armnetwork.SubResource{ID: &nic.ID}})
	return groups
}

func (n Network) effectiveRule(nic NIC, r Rule) *armnetwork.EffectiveNetworkSecurityRule {
	direction, access := armnetwork.SecurityRuleDirectionOutbound, armnetwork.SecurityRuleAccessDeny
	if r.Inbound {
		direction = armnetwork.SecurityRuleDirectionInbound
	}
	if r.Allow {
		access = armnetwork.SecurityRuleAccessAllow
	}
	protocol := armnetwork.EffectiveSecurityRuleProtocol(r.Protocol)
	if r.Protocol == "*" {
		protocol = armnetwork.EffectiveSecurityRuleProtocolAll
	}
	out := &armnetwork.EffectiveNetworkSecurityRule{
		Name: to.Ptr(r.Name), Access: &access, Direction: &direction, Priority: to.Ptr(int32(r.Priority)), Protocol: &protocol,
		SourcePortRanges: ranges(r.SourcePorts), DestinationPortRanges: ranges(r.Ports),
	}
	out.SourcePortRange, out.DestinationPortRange = out.SourcePortRanges[0], out.DestinationPortRanges[0]
	out.SourceAddressPrefix, out.SourceAddressPrefixes, out.ExpandedSourceAddressPrefix = n.addresses(nic, r.Sources)
	out.DestinationAddressPrefix, out.DestinationAddressPrefixes, out.ExpandedDestinationAddressPrefix = n.addresses(nic, r.Destinations)
	return out
}

// addresses writes the addresses of a rule as Azure does: any as 0.0.0.0/0, and a service tag
// by its name and expanded.
func (n Network) addresses(nic NIC, list []string) (first *string, all, expanded []*string) {
	for _, text := range list {
		prefixes := n.Expand(nic, text)
		if tag := text == tagVNet || text == tagBalancer || text == tagInternet; !tag {
			text = prefixes[0].String()
			all = append(all, to.Ptr(text))
			continue
		}
		all = append(all, to.Ptr(text))
		for _, p := range prefixes {
			expanded = append(expanded, to.Ptr(p.String()))
		}
	}
	return all[0], all, expanded
}

// ranges writes ports as Azure does: always as a range.
func ranges(ports []string) []*string {
	var out []*string
	for _, p := range ports {
		switch {
		case p == "*":
			p = "0-65535"
		case !strings.Contains(p, "-"):
			p += "-" + p
		}
		out = append(out, to.Ptr(p))
	}
	return out
}
