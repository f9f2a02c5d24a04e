package router

import (
	"net/netip"

	api "github.com/osrg/gobgp/v4/api"
)

// Config describes one router.
type Config struct {
	ASN       uint32
	ID        netip.Addr
	Listen    []netip.Addr
	Neighbors []Neighbor
	// Import and Export are tried in order and the first match decides; what
	// no rule matches is accepted.
	Import []Rule
	Export []Rule
	// WireLog records all UPDATEs as received, in the working directory. With
	// it, Received shows LOCAL_PREFs that eBGP neighbors sent.
	WireLog bool
}

// Neighbor is one configured BGP peer.
type Neighbor struct {
	Address  netip.Addr
	ASN      uint32
	Passive  bool
	Multihop bool
	// Limit is the number of routes after which the session is torn down, 0
	// for none. See counter for how they are counted.
	Limit int
	// CountOnce counts a route that is sent again only once against Limit.
	CountOnce bool
}

// Rule is one policy statement. Empty conditions match everything.
type Rule struct {
	Name      string
	Neighbors []netip.Addr
	ASPath    string
	Prefix    netip.Prefix
	Community string
	RouteType RouteType
	LocalPref uint32
	Accept    bool
}

// RouteType says where a router has a route from.
type RouteType = api.Conditions_RouteType

// The route types a Rule can ask for.
const (
	Any      RouteType = api.Conditions_ROUTE_TYPE_UNSPECIFIED
	Internal RouteType = api.Conditions_ROUTE_TYPE_INTERNAL
	External RouteType = api.Conditions_ROUTE_TYPE_EXTERNAL
	Local    RouteType = api.Conditions_ROUTE_TYPE_LOCAL
)

func (n Neighbor) peer() *api.Peer {
	p := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: n.Address.String(),
			PeerAsn:         n.ASN,
			// Loops are dropped by an import rule, not by GoBGP, so that the
			// table of received routes still shows them.
			AllowOwnAsn: 255,
		},
		Transport: &api.Transport{PassiveMode: n.Passive},
		Timers:    &api.Timers{Config: &api.TimersConfig{HoldTime: 180, KeepaliveInterval: 60, ConnectRetry: 1, IdleHoldTimeAfterReset: 1}},
		AfiSafis:  []*api.AfiSafi{family(api.Family_AFI_IP), family(api.Family_AFI_IP6)},
	}
	if n.Multihop {
		p.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: 255}
	}
	return p
}

func family(afi api.Family_Afi) *api.AfiSafi {
	return &api.AfiSafi{Config: &api.AfiSafiConfig{
		Family:  &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST},
		Enabled: true,
	}}
}
