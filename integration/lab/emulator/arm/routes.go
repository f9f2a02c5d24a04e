package arm

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// Routes tells what Azure's network does with the resources of a State. Resources are named
// by their IDs in any case. The Server calls it without a lock on the State, in parallel.
//
// What is not known is left out, never invented: the Server passes answers on as they are.
type Routes interface {
	// Effective returns the effective routes of a NIC whose VM is running.
	Effective(ctx context.Context, nic string) ([]*armnetwork.EffectiveRoute, error)
	// EffectiveRules returns the security rules that apply to such a NIC, by the groups of
	// its subnet and its own.
	EffectiveRules(ctx context.Context, nic string) ([]*armnetwork.EffectiveNetworkSecurityGroup, error)
	// Learned returns what a Route Server learned from one of its peers, by its instances,
	// which are called RouteServiceRole_IN_0 and RouteServiceRole_IN_1.
	Learned(ctx context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error)
	// Advertised returns what a Route Server advertises to one of its peers.
	Advertised(ctx context.Context, hub, connection string) (map[string][]*armnetwork.PeerRoute, error)
	// GatewayLearned and GatewayAdvertised return the routes of a gateway. Advertised ones
	// are those to one peer, an address.
	GatewayLearned(ctx context.Context, gateway string) ([]*armnetwork.GatewayRoute, error)
	GatewayAdvertised(ctx context.Context, gateway, peer string) ([]*armnetwork.GatewayRoute, error)
}

// GatewayPeers may be implemented by Routes that also know the BGP peers of a gateway.
type GatewayPeers interface {
	GatewayPeers(ctx context.Context, gateway string) ([]*armnetwork.BgpPeerStatus, error)
}

// NoRoutes is a network of which nothing is known.
type NoRoutes struct{}

// Effective returns none.
func (NoRoutes) Effective(context.Context, string) ([]*armnetwork.EffectiveRoute, error) {
	return nil, nil
}

// EffectiveRules returns none.
func (NoRoutes) EffectiveRules(context.Context, string) ([]*armnetwork.EffectiveNetworkSecurityGroup, error) {
	return nil, nil
}

// Learned returns none.
func (NoRoutes) Learned(context.Context, string, string) (map[string][]*armnetwork.PeerRoute, error) {
	return nil, nil
}

// Advertised returns none.
func (NoRoutes) Advertised(context.Context, string, string) (map[string][]*armnetwork.PeerRoute, error) {
	return nil, nil
}

// GatewayLearned returns none.
func (NoRoutes) GatewayLearned(context.Context, string) ([]*armnetwork.GatewayRoute, error) {
	return nil, nil
}

// GatewayAdvertised returns none.
func (NoRoutes) GatewayAdvertised(context.Context, string, string) ([]*armnetwork.GatewayRoute, error) {
	return nil, nil
}
