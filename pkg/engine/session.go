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
	"github.com/nvad/nvad/pkg/watch"
)

// neighbor is the engine's state of one neighbor. Its routes are in the RIB.
type neighbor struct {
	cfg         config.Neighbor
	state       speaker.State
	since       time.Time // of state
	reason      string    // why the session last failed or did not come up
	lastDown    time.Time
	flaps       uint64
	up          *speaker.Established // nil unless established
	session     uint64               // the last one that was established
	local       netip.Addr           // this machine's address in the last session
	pathDown    string               // why BFD had the session reset; empty: it did not
	departed    bool                 // published as a next hop that died with its session
	lastUpdate  time.Time
	eor         route.Family // End-of-RIB markers received
	dumped      bool         // the initial Adj-RIB-Out was sent
	eorSent     bool
	staleUntil  time.Time          // stale routes are kept until then; zero: none
	held        string             // why it is shut down at run time; empty: it is not
	overLimit   bool               // held because of maximum-prefix
	heldUntil   time.Time          // when it is enabled again; zero: when an operator does so
	fill        fill               // of maximum-prefix, the most since the session came up
	outFill     outFill            // of maximum-prefix-out, likewise
	refresh     refresh            // its ROUTE-REFRESH requests
	nextRequest [2]time.Time       // by family: when nvad may send it a ROUTE-REFRESH again
	malformed   *speaker.Malformed // what was wrong with its last malformed UPDATE; nil: there was none
	malformedAt time.Time
	treated     treated            // prefixes whose announcements were malformed
	logged      telemetry.Throttle // log lines of this session, or of this outage
	published   telemetry.Throttle // reasons for not being up that were published in this outage

	memoryClosings uint64 // for the memory budget
}

const allFamilies = route.IPv4 | route.IPv6

func (n *neighbor) isShutdown() bool { return n.cfg.Shutdown || n.held != "" }

func (e *Engine) handle(ev speaker.Event) {
	now, n := time.Now(), e.neighbors[ev.Neighbor()]
	if _, up := ev.(speaker.Established); n == nil && up {
		n = e.admit(ev.Neighbor(), now)
	}
	if n == nil {
		return // a reload removed the neighbor while the event was under way
	}
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
		e.monitorEnd(&ev)
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

func (e *Engine) established(n *neighbor, ev *speaker.Established, now time.Time) {
	from := n.state
	n.state, n.since, n.up = speaker.EstablishedState, now, ev
	n.session = ev.Session
	e.learnASN(n, ev.RemoteASN)
	e.publishNeighbor(n, from, "", false, now)
	n.lastUpdate, n.eor, n.dumped, n.eorSent, n.fill, n.outFill = now, 0, false, false, fillLow, outLow
	n.logged, n.pathDown, n.refresh = telemetry.Throttle{}, "", refresh{}
	if e.opt.Liveness != nil {
		e.opt.Liveness.Reached(ev.Peer)
	}
	e.departures.remove(ev.Peer)
	e.publishReturn(n, "", now)
	e.watch()
	e.log.Info("neighbor up", "neighbor", ev.Peer, "as", n.cfg.RemoteASN,
		"router_id", ev.RemoteID, "hold_time", ev.HoldTime, "families", ev.Families)
	if !n.staleUntil.IsZero() {
		// Routes that the neighbor did not keep over its restart are gone now; the rest
		// may stay until its End-of-RIB (RFC 4724 4.2).
		e.rib.SweepStale(ev.Peer, allFamilies&^ev.Preserved)
		n.staleUntil = n.lastDown.Add(n.cfg.StalePathTime)
	}
	e.opt.Speaker.SetLimit(ev.Peer, ev.Session, n.cfg.MaximumPrefixOut)
	e.rib.PeerUp(ev.Peer, rib.Session{
		LocalAddress: ev.LocalAddress, RemoteID: ev.RemoteID, Families: ev.Families,
	}, func() { n.dumped = true; e.publish(); e.sendEndOfRIB(n) })
	e.monitorUp(n, now)
}

// sendEndOfRIB marks the end of the initial exchange. After a restart it waits until
// the engine is in sync (RFC 4724 4.1).
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
	n.logged = telemetry.Throttle{}
	n.logged.First("not up", n.reason)
	e.log.Warn("neighbor down", "neighbor", ev.Peer, "as", n.cfg.RemoteASN,
		"reason", n.reason, "routes_kept", keep)
	e.publishNeighbor(n, speaker.EstablishedState, n.reason, keep, now)
	e.monitorDown(*ev, now)
	if !keep {
		e.depart(ev.Peer, n, now)
	}
	if !keep && e.rib.Octets(ev.Peer) >= worthReclaiming {
		e.reclaimAfter(ev.Peer, now)
	}
	e.rib.PeerDown(ev.Peer, keep)
	if !keep {
		e.follow(ev.Peer, n)
	}
	if keep && unkept != 0 {
		e.rib.SweepStale(ev.Peer, unkept) // the neighbor did not say that it keeps them (RFC 4724 4.2)
	}
	e.dismiss(ev.Peer, n)
}

// forgetKept removes the routes that graceful restart keeps of a neighbor that is
// down.
func (e *Engine) forgetKept(addr netip.Addr, n *neighbor) {
	if n.up != nil || n.staleUntil.IsZero() {
		return
	}
	e.depart(addr, n, time.Now())
	e.rib.SweepStale(addr, allFamilies)
	e.follow(addr, n)
	n.staleUntil = time.Time{}
}

// removed logs and publishes that a reload removes a neighbor. When its session ends,
// the engine does not know the neighbor any more.
func (e *Engine) removed(n *neighbor, now time.Time) {
	from := n.state
	e.log.Info("neighbor removed", "neighbor", n.cfg.Address, "as", n.cfg.RemoteASN, "was", from.String())
	if n.up != nil {
		cease := speaker.Cease(speaker.CeaseDeconfigured) // as the speaker is about to send
		e.monitorDown(speaker.Down{From: n.up.From, Notification: &cease}, now)
	}
	n.state = speaker.Idle
	e.publishNeighbor(n, from, "removed from the configuration", false, now)
	e.publishReturn(n, "not a neighbor any more", now)
}

// stateChanged logs and publishes why a session does not come up, each reason once in
// an outage: an absent neighbor is tried twice a second, for various reasons in vain.
func (e *Engine) stateChanged(n *neighbor, ev *speaker.StateChanged, now time.Time) {
	if ev.Reason != "" {
		n.reason = ev.Reason
		if n.up == nil && !n.isShutdown() && now.Sub(n.since) >= calmTime && n.logged.First("not up", n.reason) {
			e.log.Info("neighbor not up", "neighbor", n.cfg.Address, "as", n.cfg.RemoteASN, "reason", n.reason)
		}
	}
	if n.up == nil && n.state != ev.State {
		n.state = ev.State
	}
	if n.up == nil && ev.Reason != "" && n.published.First("not up", ev.Reason) {
		e.publishSession(n, n.state, ev.Reason, false, now)
	}
}

// calmTime is how long a session may be down before nvad logs why: after a reset the
// first attempt may meet a neighbor that is still cleaning up.
const calmTime = time.Second

// publishNeighbor publishes that a session came up or went down.
func (e *Engine) publishNeighbor(n *neighbor, from speaker.State, reason string, kept bool, now time.Time) {
	n.published = telemetry.Throttle{}
	n.published.First("not up", reason)
	e.publishSession(n, from, reason, kept, now)
}

func (e *Engine) publishSession(n *neighbor, from speaker.State, reason string, kept bool, now time.Time) {
	e.opt.Watch.Publish(watch.Event{At: now, Change: watch.Neighbor{
		Address: n.cfg.Address, ASN: n.cfg.RemoteASN, From: from, To: n.state, Reason: reason, Kept: kept,
	}})
}

// publishBest publishes changes of best paths.
func (e *Engine) publishBest(changes []rib.BestChange) {
	if len(changes) == 0 {
		return
	}
	now := time.Now()
	events := make([]watch.Event, len(changes))
	for i, c := range changes {
		events[i] = watch.Event{At: now, Change: watch.Route{
			Prefix: c.Prefix, Old: watch.Best(c.Old), New: watch.Best(c.New), Reason: c.Reason,
		}}
	}
	e.opt.Watch.Publish(events...)
}

// refresh is a neighbor's ROUTE-REFRESH requests in this session (RFC 2918).
type refresh struct {
	asked   route.Family // requested, and not begun yet
	running route.Family
	next    [2]time.Time // by family: when the next answer may begin
}

// refreshSpacing is the pause between two answers to ROUTE-REFRESH for one family. A
// request has 23 bytes, its answer is the whole table: a neighbor that asks all the
// time must not keep the engine from everything else.
const refreshSpacing = 5 * time.Second

// refresh begins the answers that n asked for and that may begin. A request that
// comes during an answer is served once more after it, since its sender may have
// missed the beginning of the answer.
func (e *Engine) refresh(n *neighbor, now time.Time) {
	q := &n.refresh
	var due route.Family
	for i, f := range [...]route.Family{route.IPv4, route.IPv6} {
		if q.asked.Has(f) && !q.running.Has(f) && !now.Before(q.next[i]) {
			due |= f
		}
	}
	if due == 0 {
		return
	}
	q.asked &^= due
	q.running |= due
	e.rib.Readvertise(n.cfg.Address, due, func(f route.Family) {
		q.running &^= f
		i := slices.Index([]route.Family{route.IPv4, route.IPv6}, f)
		q.next[i] = time.Now().Add(refreshSpacing)
	})
}
