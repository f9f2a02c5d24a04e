package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/integration/lab/emulator/router"
)

// armRoutes answers the fake Resource Manager from the lab's emulators. Only security rules
// are the model's, because the lab's VNets enforce none.
type armRoutes struct {
	lab   *Lab
	state *arm.State
}

var (
	_ arm.Routes       = armRoutes{}
	_ arm.GatewayPeers = armRoutes{}
)

func sameID(a, b string) bool { return strings.EqualFold(a, b) }

// Effective implements [arm.Routes].
func (r armRoutes) Effective(ctx context.Context, nic string) ([]*armnetwork.EffectiveRoute, error) {
	for _, v := range r.lab.Topology.VNets {
		for _, m := range v.VMs {
			if !sameID(nic, arm.ID(arm.TypeNIC, m.Name+"-nic")) {
				continue
			}
			routes, err := r.lab.EffectiveRoutes(ctx, m.Name)
			return rules.EffectiveRoutes(rules.Platform(routes)), err
		}
	}
	return nil, fmt.Errorf("there is no NIC %s", nic)
}

// EffectiveRules implements [arm.Routes].
func (r armRoutes) EffectiveRules(ctx context.Context, nic string) ([]*armnetwork.EffectiveNetworkSecurityGroup, error) {
	return rules.Model{State: r.state}.EffectiveRules(ctx, nic)
}

// Learned implements [arm.Routes]. A route that the instance did not accept is not learned.
func (r armRoutes) Learned(ctx context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error) {
	return r.ofConnection(hub, connection, func(s Speaker, instance, peer netip.Addr) ([]*armnetwork.PeerRoute, error) {
		var rows []*armnetwork.PeerRoute
		received, err := s.Received(ctx, peer)
		for _, got := range received {
			if got.Accepted {
				rows = append(rows, rules.PeerRoute(instance, peer, got.Prefix, got.NextHop, got.ASPath))
			}
		}
		return rows, err
	})
}

// Advertised implements [arm.Routes].
func (r armRoutes) Advertised(ctx context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error) {
	return r.ofConnection(hub, connection, func(s Speaker, instance, peer netip.Addr) ([]*armnetwork.PeerRoute, error) {
		var rows []*armnetwork.PeerRoute
		sent, err := s.Advertised(ctx, peer)
		for _, a := range sent {
			rows = append(rows, rules.PeerRoute(instance, netip.Addr{}, a.Prefix, a.NextHop, a.ASPath))
		}
		return rows, err
	})
}

func (r armRoutes) ofConnection(hub, connection string, list func(s Speaker, instance, peer netip.Addr) ([]*armnetwork.PeerRoute, error)) (map[string][]*armnetwork.PeerRoute, error) {
	c, ok := arm.Get[armnetwork.BgpConnection](r.state, rules.ConnectionID(hub, connection))
	if !ok {
		return nil, fmt.Errorf("%s has no connection %s", hub, connection)
	}
	peer, err := netip.ParseAddr(*c.Properties.PeerIP)
	if err != nil {
		return nil, err
	}
	answer := map[string][]*armnetwork.PeerRoute{}
	for _, v := range r.lab.Topology.VNets {
		if !sameID(hub, hubID(v.Name)) {
			continue
		}
		for i, instance := range v.RouteServers() {
			rows, err := list(r.lab.RouteServer(v.Name, i), instance, peer)
			if err != nil {
				return nil, err
			}
			answer[rules.Role(i)] = rows
		}
	}
	return answer, nil
}

// GatewayLearned implements [arm.Routes].
func (r armRoutes) GatewayLearned(ctx context.Context, gateway string) ([]*armnetwork.GatewayRoute, error) {
	return r.ofGateway(gateway, func(v VNet) ([]router.Route, error) { return r.lab.CircuitRoutes(ctx, v.Name) })
}

// GatewayAdvertised implements [arm.Routes]. The only peer is the circuit.
func (r armRoutes) GatewayAdvertised(ctx context.Context, gateway, _ string) ([]*armnetwork.GatewayRoute, error) {
	return r.ofGateway(gateway, func(v VNet) ([]router.Route, error) {
		return r.lab.Gateway(v.Name).Advertised(ctx, r.lab.mseeAddress(v))
	})
}

// GatewayPeers implements [arm.GatewayPeers].
func (r armRoutes) GatewayPeers(ctx context.Context, gateway string) ([]*armnetwork.BgpPeerStatus, error) {
	v, err := r.withGateway(gateway)
	if err != nil {
		return nil, err
	}
	sessions, err := r.lab.Gateway(v.Name).Sessions(ctx)
	var peers []*armnetwork.BgpPeerStatus
	for _, s := range sessions {
		peers = append(peers, rules.GatewayPeer(s.Neighbor, int64(s.ASN), s.Established))
	}
	return peers, err
}

func (r armRoutes) ofGateway(gateway string, list func(VNet) ([]router.Route, error)) ([]*armnetwork.GatewayRoute, error) {
	v, err := r.withGateway(gateway)
	if err != nil {
		return nil, err
	}
	routes, err := list(v)
	var rows []*armnetwork.GatewayRoute
	for _, route := range routes {
		rows = append(rows, rules.GatewayRoute(route.Prefix, route.NextHop, route.ASPath))
	}
	return rows, err
}

// withGateway returns the VNet that has a gateway.
func (r armRoutes) withGateway(gateway string) (VNet, error) {
	for _, v := range r.lab.Topology.VNets {
		if v.Circuit != "" && sameID(gateway, arm.ID(arm.TypeGateway, gatewayNode(v.Name))) {
			return v, nil
		}
	}
	return VNet{}, fmt.Errorf("there is no gateway %s", gateway)
}
