// Package router wraps one GoBGP server as an ordinary BGP router: it selects best paths
// itself, exports one table through neighbor-dependent rules, and rewrites next hops as eBGP
// requires. The lab's Route Server instances and ExpressRoute gateways are built from it.
//
// It shares no code with nvad on purpose. nvad uses GoBGP only as a session engine and makes
// its own routing decisions. An end-to-end test proves something only if the peer decides in
// another way.
package router

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// Router is a running BGP router.
type Router struct {
	config  Config
	server  *server.BgpServer
	changed chan struct{}
	wire    *wireLog

	mu       sync.Mutex
	sessions map[netip.Addr]*session
	lost     []netip.Prefix
}

// Start starts a router with its neighbors. It runs until ctx is done.
func Start(ctx context.Context, config Config) (*Router, error) {
	level := &slog.LevelVar{}
	level.Set(slog.LevelWarn)
	r := &Router{
		config:   config,
		server:   server.NewBgpServer(server.LoggerOption(slog.Default(), level)),
		changed:  make(chan struct{}, 1),
		sessions: map[netip.Addr]*session{},
	}
	for _, n := range config.Neighbors {
		r.sessions[n.Address] = &session{neighbor: n, counter: newCounter(n)}
	}
	go r.server.Serve()
	if err := r.start(ctx); err != nil {
		r.server.Stop()
		return nil, err
	}
	context.AfterFunc(ctx, r.server.Stop)
	return r, nil
}

func (r *Router) start(ctx context.Context) error {
	global := &api.Global{
		Asn:        r.config.ASN,
		RouterId:   r.config.ID.String(),
		ListenPort: bgp.BGP_PORT,
		Families:   []uint32{0, 1},
	}
	for _, a := range r.config.Listen {
		global.ListenAddresses = append(global.ListenAddresses, a.String())
	}
	if err := r.server.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return fmt.Errorf("start BGP: %w", err)
	}
	if err := r.setPolicies(ctx); err != nil {
		return err
	}
	if err := r.watch(ctx); err != nil {
		return err
	}
	if err := r.logWire(ctx); err != nil {
		return err
	}
	for _, n := range r.config.Neighbors {
		if err := r.server.AddPeer(ctx, &api.AddPeerRequest{Peer: n.peer()}); err != nil {
			return fmt.Errorf("add neighbor %s: %w", n.Address, err)
		}
	}
	return nil
}

// Originate announces prefixes as the router's own.
func (r *Router) Originate(prefixes ...netip.Prefix) error {
	for _, prefix := range prefixes {
		if err := r.originate(prefix); err != nil {
			return fmt.Errorf("originate %s: %w", prefix, err)
		}
	}
	return nil
}

func (r *Router) originate(prefix netip.Prefix) error {
	nlri, err := bgp.NewIPAddrPrefix(prefix)
	if err != nil {
		return err
	}
	// An unspecified next hop becomes the session's local address on export.
	nextHop, err := bgp.NewPathAttributeNextHop(netip.IPv4Unspecified())
	if err != nil {
		return err
	}
	path := &apiutil.Path{
		Family: bgp.RF_IPv4_UC,
		Nlri:   nlri,
		Attrs:  []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), nextHop},
		Age:    time.Now().Unix(),
	}
	_, err = r.server.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{path}})
	return err
}

// Changed receives a value after routes or sessions have changed. One value stands for any
// number of changes since the last one.
func (r *Router) Changed() <-chan struct{} { return r.changed }

func (r *Router) change() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Config describes one router.
type Config struct {
	ASN       uint32
	ID        netip.Addr
	Listen    []netip.Addr
	Neighbors []Neighbor
	// Import and Export are tried in order and the first match decides. A route that no rule
	// matches is accepted.
	Import []Rule
	Export []Rule
	// WireLog records all UPDATEs as received, in the working directory. With it, Received
	// shows the LOCAL_PREF that eBGP neighbors sent.
	WireLog bool
}

// Neighbor is one configured BGP peer.
type Neighbor struct {
	Address  netip.Addr
	ASN      uint32
	Passive  bool
	Multihop bool
	// Limit is the number of routes above which the session is torn down, 0 for none. See
	// counter for how they are counted.
	Limit int
	// CountOnce makes a route that is sent again count only once against Limit.
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

// RouteType is the origin of a route: local, internal or external.
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
			// An import rule drops loops and not GoBGP, so that the table of received routes
			// still shows them.
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
