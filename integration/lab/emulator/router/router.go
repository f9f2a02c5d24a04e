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

// Originate announces prefixes of the router's own.
func (r *Router) Originate(prefixes ...netip.Prefix) error {
	for _, prefix := range prefixes {
		if err := r.originate(prefix); err != nil {
			return err
		}
	}
	return nil
}

func (r *Router) originate(prefix netip.Prefix) error {
	nlri, err := bgp.NewIPAddrPrefix(prefix)
	if err != nil {
		return fmt.Errorf("originate %s: %w", prefix, err)
	}
	// An unspecified next hop becomes the session's local address on export.
	nextHop, err := bgp.NewPathAttributeNextHop(netip.IPv4Unspecified())
	if err != nil {
		return fmt.Errorf("originate %s: %w", prefix, err)
	}
	path := &apiutil.Path{
		Family: bgp.RF_IPv4_UC,
		Nlri:   nlri,
		Attrs:  []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), nextHop},
		Age:    time.Now().Unix(),
	}
	if _, err := r.server.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{path}}); err != nil {
		return fmt.Errorf("originate %s: %w", prefix, err)
	}
	return nil
}

// Changed receives a value after routes or sessions have changed, one for any
// number of changes since the last.
func (r *Router) Changed() <-chan struct{} { return r.changed }

func (r *Router) change() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}
