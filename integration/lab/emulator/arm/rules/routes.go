package rules

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/gateway"
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

// Moment returns the network and what is sent in it, at one time.
func (m Model) Moment() Moment {
	if m.Sent == nil {
		return Moment{Network: m.Network()}
	}
	return Moment{m.Network(), m.Sent()}
}

// Effective implements [arm.Routes].
func (m Model) Effective(ctx context.Context, nic string) ([]*armnetwork.EffectiveRoute, error) {
	return m.Moment().Effective(ctx, nic)
}

// EffectiveRules implements [arm.Routes].
func (m Model) EffectiveRules(ctx context.Context, nic string) ([]*armnetwork.EffectiveNetworkSecurityGroup, error) {
	return m.Moment().EffectiveRules(ctx, nic)
}

// Learned implements [arm.Routes].
func (m Model) Learned(ctx context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error) {
	return m.Moment().Learned(ctx, hub, connection)
}

// Advertised implements [arm.Routes].
func (m Model) Advertised(ctx context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error) {
	return m.Moment().Advertised(ctx, hub, connection)
}

// GatewayLearned implements [arm.Routes].
func (m Model) GatewayLearned(ctx context.Context, id string) ([]*armnetwork.GatewayRoute, error) {
	return m.Moment().GatewayLearned(ctx, id)
}

// GatewayAdvertised implements [arm.Routes].
func (m Model) GatewayAdvertised(ctx context.Context, id, peer string) ([]*armnetwork.GatewayRoute, error) {
	return m.Moment().GatewayAdvertised(ctx, id, peer)
}

// GatewayPeers implements [arm.GatewayPeers].
func (m Model) GatewayPeers(ctx context.Context, id string) ([]*armnetwork.BgpPeerStatus, error) {
	return m.Moment().GatewayPeers(ctx, id)
}

// Moment answers for a network in which nothing changes.
type Moment struct {
	Network Network
	Sent    Sent
}

var (
	_ arm.Routes       = Moment{}
	_ arm.GatewayPeers = Moment{}
)

// Effective implements [arm.Routes].
func (m Moment) Effective(_ context.Context, id string) ([]*armnetwork.EffectiveRoute, error) {
	nic, err := m.Network.nic(id)
	if err != nil {
		return nil, err
	}
	routes, _ := m.Network.Effective(nic, m.Sent)
	return EffectiveRoutes(routes), nil
}

// EffectiveRules implements [arm.Routes].
func (m Moment) EffectiveRules(_ context.Context, id string) ([]*armnetwork.EffectiveNetworkSecurityGroup, error) {
	nic, err := m.Network.nic(id)
	if err != nil {
		return nil, err
	}
	return m.Network.EffectiveGroups(nic), nil
}

// Learned implements [arm.Routes].
func (m Moment) Learned(_ context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error) {
	return m.ofConnection(hub, connection, func(s Session) (rows []*armnetwork.PeerRoute) {
		for _, r := range m.Network.Learned(s, m.Sent) {
			rows = append(rows, PeerRoute(s.Instance, s.NVA, r.Prefix, r.NextHop, r.ASPath))
		}
		return rows
	})
}

// Advertised implements [arm.Routes].
func (m Moment) Advertised(_ context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error) {
	return m.ofConnection(hub, connection, func(s Session) (rows []*armnetwork.PeerRoute) {
		for _, r := range m.Network.Advertised(s, m.Sent) {
			rows = append(rows, PeerRoute(s.Instance, netip.Addr{}, r.Prefix, r.NextHop, r.ASPath))
		}
		return rows
	})
}

func (m Moment) ofConnection(hub, connection string, list func(Session) []*armnetwork.PeerRoute) (map[string][]*armnetwork.PeerRoute, error) {
	for _, rs := range m.Network.RouteServers {
		if rs.ID != strings.ToLower(hub) {
			continue
		}
		for _, p := range rs.Peers {
			if p.ID != strings.ToLower(ConnectionID(hub, connection)) {
				continue
			}
			answer := map[string][]*armnetwork.PeerRoute{}
			for i, instance := range rs.Addresses {
				answer[Role(i)] = list(Session{p.Address, instance})
			}
			return answer, nil
		}
	}
	return nil, fmt.Errorf("%s has no connection %s", hub, connection)
}

// GatewayLearned implements [arm.Routes].
func (m Moment) GatewayLearned(_ context.Context, id string) ([]*armnetwork.GatewayRoute, error) {
	g, err := m.Network.gateway(id)
	var rows []*armnetwork.GatewayRoute
	for _, r := range m.Network.FromCircuit(g, m.Sent) {
		rows = append(rows, GatewayRoute(r.Prefix, r.NextHop, r.ASPath))
	}
	return rows, err
}

// GatewayAdvertised implements [arm.Routes]. The model's gateways have one peer, the
// circuit.
func (m Moment) GatewayAdvertised(_ context.Context, id, _ string) ([]*armnetwork.GatewayRoute, error) {
	g, err := m.Network.gateway(id)
	var rows []*armnetwork.GatewayRoute
	if m.Network.circuitDown(g, m.Sent) {
		return nil, err
	}
	for _, p := range m.Network.TowardsCircuit(g, m.Sent) {
		rows = append(rows, GatewayRoute(p, netip.Addr{}, nil))
	}
	return rows, err
}

// ConnectionID returns the ID of a Route Server's connection, which may be named by its ID
// already.
func ConnectionID(hub, connection string) string {
	if strings.HasPrefix(connection, "/") {
		return connection
	}
	return hub + "/bgpConnections/" + connection
}

// GatewayPeers implements [arm.GatewayPeers].
func (m Moment) GatewayPeers(_ context.Context, id string) ([]*armnetwork.BgpPeerStatus, error) {
	g, err := m.Network.gateway(id)
	var peers []*armnetwork.BgpPeerStatus
	if g.Peer.IsValid() {
		peers = append(peers, GatewayPeer(g.Peer, gateway.MSEEASN, !m.Network.circuitDown(g, m.Sent)))
	}
	return peers, err
}

func (n Network) gateway(id string) (Gateway, error) {
	for _, g := range n.Gateways {
		if g.ID == strings.ToLower(id) {
			return g, nil
		}
	}
	return Gateway{}, fmt.Errorf("there is no gateway %s", id)
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

// GatewayPeer writes a peer of a gateway as Azure lists it.
func GatewayPeer(neighbor netip.Addr, asn int64, up bool) *armnetwork.BgpPeerStatus {
	state := armnetwork.BgpPeerStateConnecting
	if up {
		state = armnetwork.BgpPeerStateConnected
	}
	return &armnetwork.BgpPeerStatus{Neighbor: to.Ptr(neighbor.String()), Asn: &asn, State: &state}
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
