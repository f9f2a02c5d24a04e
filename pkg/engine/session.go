package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/telemetry"
)

// neighbor is what the engine knows of one neighbor beside its routes.
type neighbor struct {
	cfg         config.Neighbor
	state       speaker.State
	since       time.Time // of state
	reason      string    // of the last change for the worse
	lastDown    time.Time
	flaps       uint64
	up          *speaker.Established // nil unless established
	local       netip.Addr           // own address of the last session
	pathDown    string               // why BFD had the session reset; empty: it did not
	lastUpdate  time.Time
	eor         route.Family // End-of-RIB markers received
	dumped      bool         // our Adj-RIB-Out has left
	eorSent     bool
	staleUntil  time.Time          // stale routes are kept until then; zero: none
	held        string             // why it is shut down at run time; empty: it is not
	overLimit   bool               // held because of maximum-prefix
	heldUntil   time.Time          // when it is let up again; zero: when somebody asks
	fill        fill               // of maximum-prefix, the most since the session came up
	shown       telemetry.Throttle // reasons for not being up that were published in this outage
	outFill     outFill            // of maximum-prefix-out, likewise
	refresh     refresh            // what it asked for by ROUTE-REFRESH
	nextRequest [2]time.Time       // by family: when it may be sent a ROUTE-REFRESH again
	malformed   *speaker.Malformed // what was wrong with its last malformed UPDATE; nil: there was none
	malformedAt time.Time
	treated     treated            // prefixes whose announcements were malformed
	told        telemetry.Throttle // log lines of this session, or of this outage

	// Of closings for the memory budget: how long the last one lasts, when it was, and
	// how many there were.
	memoryHold     time.Duration
	memoryClosed   time.Time
	memoryClosings uint64
}

const allFamilies = route.IPv4 | route.IPv6

// Cease subcodes (RFC 4486).
const (
	cease               = 6
	ceaseMaxPrefixes    = 1
	ceaseShutdown       = 2
	ceaseAdminReset     = 4
	ceaseOutOfResources = 8
)

func (n *neighbor) isShutdown() bool { return n.cfg.Shutdown || n.held != "" }

func (e *Engine) handle(ev speaker.Event) {
	n := e.neighbors[ev.Neighbor()]
	if n == nil {
		return // removed by a reload while the event was on its way
	}
	now := time.Now()
	switch ev.(type) {
	case speaker.Update, speaker.EndOfRIB, speaker.RouteRefresh:
		if n.up == nil {
			return // of a session from before the neighbor was removed and added again
		}
	}
	switch ev := ev.(type) {
	case speaker.Update:
		n.lastUpdate = now
		e.rib.Update(&ev, now)
		e.checkLimit(ev.Peer, n)
		e.examine(n, &ev, now)
	case speaker.Established:
		e.established(n, &ev, now)
	case speaker.Down:
		e.down(n, &ev, now)
	case speaker.EndOfRIB:
		n.eor |= ev.Family
		n.lastUpdate = now
		e.rib.SweepStale(ev.Peer, ev.Family)
		if n.eor.Has(n.up.Families) {
			n.staleUntil = time.Time{}
		}
	case speaker.RouteRefresh:
		n.refresh.asked |= ev.Family & n.up.Families
		e.refresh(n, now)
	case speaker.StateChanged:
		e.stateChanged(n, &ev, now)
	default:
		e.log.Error("event of unknown type", "type", fmt.Sprintf("%T", ev))
	}
}

func (e *Engine) stateChanged(n *neighbor, ev *speaker.StateChanged, now time.Time) {
	if ev.Reason != "" {
		n.reason = ev.Reason
		e.tellFailure(n, now)
	}
	if n.up == nil && n.state != ev.State {
		n.state = ev.State
	}
	e.tellAttempt(n, ev.Reason, now)
}

// calmTime is how long a session may be down before its failures are news:
// after a reset the first attempt may meet a neighbor that is still tidying up.
const calmTime = time.Second

// tellFailure logs why a session is not up, each reason once in an outage: an
// absent neighbor is tried twice a second, and fails now so and now so.
func (e *Engine) tellFailure(n *neighbor, now time.Time) {
	if n.up != nil || n.isShutdown() || now.Sub(n.since) < calmTime || !n.told.First("not up", n.reason) {
		return
	}
	e.log.Info("neighbor not up", "neighbor", n.cfg.Address, "as", n.cfg.RemoteASN, "reason", n.reason)
}

// tellMalformed logs what was wrong with an UPDATE, and what became of its routes
// (RFC 7606 6), each reason once in a session: it may be true of a whole table.
func (e *Engine) tellMalformed(n *neighbor, ev *speaker.Update) {
	if !n.told.First("malformed", ev.Err.String()) {
		return
	}
	first := ""
	if prefixes := slices.Concat(ev.Announced, ev.Withdrawn); len(prefixes) > 0 {
		first = prefixes[0].String()
	}
	e.log.Warn("malformed UPDATE", "neighbor", ev.Peer, "as", n.cfg.RemoteASN, "reason", ev.Err.String(), "prefix", first)
}

func (e *Engine) established(n *neighbor, ev *speaker.Established, now time.Time) {
	from := n.state
	n.state, n.since, n.up = speaker.EstablishedState, now, ev
	e.tellNeighbor(n, from, "", false, now)
	n.lastUpdate, n.eor, n.dumped, n.eorSent, n.fill, n.outFill = now, 0, false, false, fillLow, outLow
	n.told, n.pathDown, n.refresh = telemetry.Throttle{}, "", refresh{}
	if e.opt.Liveness != nil {
		e.opt.Liveness.Reached(ev.Peer)
	}
	e.returned(ev.Peer)
	e.watch()
	e.log.Info("neighbor up", "neighbor", ev.Peer, "as", n.cfg.RemoteASN,
		"router_id", ev.RemoteID, "hold_time", ev.HoldTime, "families", ev.Families)
	if !n.staleUntil.IsZero() {
		// What the neighbor did not keep over its restart is gone now; the rest
		// may stay until its End-of-RIB (RFC 4724 4.2).
		e.rib.SweepStale(ev.Peer, allFamilies&^ev.Preserved)
		n.staleUntil = n.lastDown.Add(n.cfg.StalePathTime)
	}
	e.opt.Speaker.SetLimit(ev.Peer, ev.Session, n.cfg.MaximumPrefixOut)
	e.rib.PeerUp(ev.Peer, rib.Session{
		LocalAddress: ev.LocalAddress, RemoteID: ev.RemoteID, Families: ev.Families,
	}, func() { n.dumped = true; e.publish(); e.sendEndOfRIB(n) })
}

// sendEndOfRIB marks the end of the initial exchange once it has left, and
// once a restarted engine knows all there is to tell (RFC 4724 4.1).
func (e *Engine) sendEndOfRIB(n *neighbor) {
	if n.up == nil || !n.dumped || n.eorSent || e.opt.Restarting && !e.sync.reached {
		return
	}
	n.eorSent = true
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		if n.up.Families.Has(f) {
			e.opt.Speaker.SendEndOfRIB(n.up.Peer, n.up.Session, f)
		}
	}
}

func (e *Engine) down(n *neighbor, ev *speaker.Down, now time.Time) {
	if n.up == nil {
		return
	}
	keep, unkept := ev.Graceful && !n.isShutdown() && n.pathDown == "", n.up.Families&^n.up.GracefulPeer
	if keep {
		n.staleUntil = now.Add(min(n.up.PeerRestart, n.cfg.StalePathTime))
	} else {
		n.staleUntil = time.Time{}
	}
	n.state, n.since, n.lastDown, n.reason, n.up = speaker.Idle, now, now, cmp.Or(n.pathDown, ev.Reason), nil
	n.flaps++
	n.refresh = refresh{}
	n.told = telemetry.Throttle{}
	n.told.First("not up", n.reason) // logged as the end of the session
	e.log.Warn("neighbor down", "neighbor", ev.Peer, "as", n.cfg.RemoteASN,
		"reason", n.reason, "routes_kept", keep)
	e.tellNeighbor(n, speaker.EstablishedState, n.reason, keep, now)
	if !keep {
		e.depart(ev.Peer)
	}
	if !keep && e.rib.Octets(ev.Peer) >= worthReclaiming {
		e.reclaimAfter(ev.Peer, now)
	}
	e.rib.PeerDown(ev.Peer, keep)
	if !keep {
		e.follow(ev.Peer, n)
	}
	if keep && unkept != 0 {
		e.rib.SweepStale(ev.Peer, unkept) // it did not say that it keeps them (RFC 4724 4.2)
	}
}

// forgetKept removes what graceful restart keeps of a neighbor that is down.
func (e *Engine) forgetKept(addr netip.Addr, n *neighbor) {
	if n.up != nil || n.staleUntil.IsZero() {
		return
	}
	e.depart(addr)
	e.rib.SweepStale(addr, allFamilies)
	e.follow(addr, n)
	n.staleUntil = time.Time{}
}
