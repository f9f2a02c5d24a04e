package router

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// Session describes the session with one neighbor.
type Session struct {
	Neighbor    netip.Addr `json:"neighbor"`
	ASN         uint32     `json:"asn"`
	Established bool       `json:"established"`
	Since       time.Time  `json:"since,omitzero"`
	// Capabilities lists the capabilities that the neighbor announced.
	Capabilities []string `json:"capabilities,omitempty"`
	// Ups counts how many times the session has come up.
	Ups int `json:"ups"`
	// LastDown is the reason for the last loss of the session.
	LastDown string `json:"last_down,omitempty"`
}

type session struct {
	neighbor Neighbor
	counter  counter
	state    Session
	fsm      bgp.FSMState
	// exceeded is set while the session ends because of its limit. Further UPDATEs no longer
	// count then.
	exceeded bool
}

// Sessions lists all neighbors' sessions by address.
func (r *Router) Sessions() []Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Session, 0, len(r.sessions))
	for _, s := range r.sessions {
		state := s.state
		state.Neighbor, state.ASN = s.neighbor.Address, s.neighbor.ASN
		list = append(list, state)
	}
	slices.SortFunc(list, func(a, b Session) int { return a.Neighbor.Compare(b.Neighbor) })
	return list
}

// SetNeighbors makes these the router's neighbors, apart from those that keep selects of the
// earlier ones. The session with a neighbor that stays as it is goes on.
func (r *Router) SetNeighbors(ctx context.Context, wanted []Neighbor, keep func(Neighbor) bool) error {
	r.mu.Lock()
	var gone, fresh []Neighbor
	for addr, s := range r.sessions {
		if !keep(s.neighbor) && !slices.Contains(wanted, s.neighbor) {
			gone = append(gone, s.neighbor)
			delete(r.sessions, addr)
		}
	}
	for _, n := range wanted {
		if r.sessions[n.Address] == nil {
			fresh = append(fresh, n)
			r.sessions[n.Address] = &session{neighbor: n, counter: newCounter(n)}
		}
	}
	r.mu.Unlock()
	for _, n := range gone {
		if err := r.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: n.Address.String()}); err != nil {
			return fmt.Errorf("delete neighbor %s: %w", n.Address, err)
		}
	}
	for _, n := range fresh {
		if err := r.server.AddPeer(ctx, &api.AddPeerRequest{Peer: n.peer()}); err != nil {
			return fmt.Errorf("add neighbor %s: %w", n.Address, err)
		}
	}
	return nil
}

// known reports whether the router still has a neighbor.
func (r *Router) known(n Neighbor) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[n.Address]
	return s != nil && s.neighbor == n
}

func (r *Router) watch(ctx context.Context) error {
	callbacks := server.WatchEventMessageCallbacks{
		OnPathUpdate: func(paths []*apiutil.Path, at time.Time) {
			r.count(ctx, paths, at)
			r.change()
		},
		OnBestPath: func(paths []*apiutil.Path, _ time.Time) {
			r.lose(paths)
			r.change()
		},
		OnPeerUpdate: func(ev *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
			r.follow(ctx, ev, at)
			r.change()
		},
	}
	return r.server.WatchEvent(ctx, callbacks,
		server.WatchUpdate(false, "", ""), server.WatchBestPath(false), server.WatchPeer())
}

// count accounts for one UPDATE and ends the session if it exceeded the limit.
func (r *Router) count(ctx context.Context, paths []*apiutil.Path, at time.Time) {
	var announced, withdrawn []netip.Prefix
	for _, p := range paths {
		prefix, ok := prefixOf(p)
		switch {
		case !ok:
		case p.Withdrawal:
			withdrawn = append(withdrawn, prefix)
		default:
			announced = append(announced, prefix)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[paths[0].PeerAddress.Unmap()]
	if s == nil || s.exceeded {
		return
	}
	if s.exceeded = s.counter.add(announced, withdrawn, at); s.exceeded {
		go r.tearDown(ctx, s.neighbor)
	}
}

// tearDown ends a session with Cease, maximum number of prefixes reached. GoBGP's own limit
// counts differently, so it is only set here, and so low that it is certainly exceeded.
func (r *Router) tearDown(ctx context.Context, n Neighbor) {
	peer := n.peer()
	for _, a := range peer.AfiSafis {
		a.PrefixLimits = &api.PrefixLimit{Family: a.Config.Family, MaxPrefixes: 1}
	}
	if _, err := r.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: peer}); err != nil {
		slog.Error("could not enforce route limit", "neighbor", n.Address, "error", err)
	}
}

// follow records the state of a session.
func (r *Router) follow(ctx context.Context, ev *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
	if ev.Type != apiutil.PEER_EVENT_STATE {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[ev.Peer.State.NeighborAddress.Unmap()]
	if s == nil {
		return
	}
	from, to := s.fsm, ev.Peer.State.SessionState
	s.fsm, s.state.Established = to, to == bgp.BGP_FSM_ESTABLISHED
	switch {
	case s.state.Established && from != to:
		s.state.Since, s.state.Ups = at, s.state.Ups+1
		s.state.Capabilities = capabilities(ev.Peer.State.RemoteCap)
		time.AfterFunc(resendDelay, func() { r.resend(ctx, s.neighbor) })
	case to == bgp.BGP_FSM_IDLE && from >= bgp.BGP_FSM_OPENSENT:
		s.state.LastDown = ev.Peer.State.DisconnectReason.String() + " " + ev.Peer.State.DisconnectMessage
		if s.exceeded {
			s.state.LastDown = "Cease: maximum number of prefixes reached"
		}
		s.counter, s.exceeded = newCounter(s.neighbor), false
		go r.renew(ctx, s.neighbor)
	}
}

// resendDelay is how long after its start a session reliably gets changes.
const resendDelay = 200 * time.Millisecond

// resend announces everything to a neighbor again soon after its session came up. GoBGP loses
// a change that happens while it prepares the first announcements.
func (r *Router) resend(ctx context.Context, n Neighbor) {
	request := &api.ResetPeerRequest{Address: n.Address.String(), Soft: true, Direction: api.ResetPeerRequest_DIRECTION_OUT}
	if err := r.server.ResetPeer(ctx, request); err != nil && ctx.Err() == nil {
		slog.Warn("could not announce again", "neighbor", n.Address, "error", err)
	}
}

// renew replaces the peer of a session that was lost or never came up. GoBGP refuses
// connections for five seconds after either, which Route Server does not do.
func (r *Router) renew(ctx context.Context, n Neighbor) {
	if !r.known(n) {
		return
	}
	if err := r.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: n.Address.String()}); err != nil {
		slog.Error("could not renew neighbor", "neighbor", n.Address, "error", err)
	}
	if err := r.server.AddPeer(ctx, &api.AddPeerRequest{Peer: n.peer()}); err != nil && ctx.Err() == nil {
		slog.Error("could not renew neighbor", "neighbor", n.Address, "error", err)
	}
}

func capabilities(caps []bgp.ParameterCapabilityInterface) []string {
	var names []string
	for _, c := range caps {
		names = append(names, c.Code().String())
	}
	return names
}
