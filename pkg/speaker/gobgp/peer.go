package gobgp

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// peer is one configured neighbor. Its goroutine, run, dials, settles collisions and
// chooses the connection that is the session; other goroutines reach it through the
// channels.
type peer struct {
	cfg      speaker.Neighbor
	sp       *Speaker
	log      *slog.Logger
	counters *counters
	previous *peer // of the same address; it must be gone before this one starts

	incoming chan net.Conn // accepted
	resets   chan resetOrder
	hint     chan struct{}
	stop     chan farewellOrder
	done     chan struct{}

	session  atomic.Pointer[session] // for Send
	released atomic.Uint64           // of a dynamic neighbor: the last session that the engine has forgotten
	group    string                  // of a dynamic neighbor; Speaker.mu guards it

	// Only run uses the rest.
	dialled chan dialResult
	peeked  chan *peek
	phase   chan *session
	ended   chan *session
	dialing context.CancelFunc // of the attempt under way; nil: there is none
	dials   sync.WaitGroup
	current *session
	second  *peek // a connection that competes with current
	backoff backoff
	lastUp  uint64      // the last session that was established
	rest    time.Time   // until when a dynamic neighbor keeps its place
	failure string      // why the last attempt or session ended
	slot    time.Time   // when the pacer allows the next attempt; zero: not asked yet
	redial  *time.Timer // for the next attempt, or the end of a hold
	verdict *time.Timer // ends a challenge
	// challenged is set while the established session has to prove that it is alive.
	challenged bool
	partings   atomic.Int32 // connections that are being turned away
	pending    *speaker.StateChanged
	state      speaker.StateChanged // the last one reported
	// md5Before counts the failures up to the end of the last session.
	md5Before md5Failures
}

// resetOrder asks run to end a session.
type resetOrder struct {
	session      uint64 // which one; 0: any
	notification speaker.Notification
}

// isFor reports whether the order is for s, which may be nil.
func (o resetOrder) isFor(s *session) bool {
	return o.session == 0 || s != nil && s.number == o.session
}

// farewellOrder asks run to end the neighbor.
type farewellOrder struct {
	notification speaker.Notification
	graceful     bool // no NOTIFICATION if graceful restart was negotiated
}

func newPeer(sp *Speaker, cfg speaker.Neighbor, previous *peer) *peer {
	p := &peer{
		cfg:      cfg,
		sp:       sp,
		log:      sp.opts.Log.With(keyNeighbor, cfg.Address.String()),
		counters: new(counters),
		previous: previous,
		incoming: make(chan net.Conn, 4),
		resets:   make(chan resetOrder, 1),
		hint:     make(chan struct{}, 1),
		stop:     make(chan farewellOrder, 1),
		done:     make(chan struct{}),
		dialled:  make(chan dialResult, 1),
		peeked:   make(chan *peek, 1),
		phase:    make(chan *session, 1),
		ended:    make(chan *session, 1),
		backoff:  backoff{there: time.Now()},
		redial:   newStoppedTimer(),
		verdict:  newStoppedTimer(),
	}
	if previous != nil {
		p.counters = previous.counters
	}
	return p
}

func newStoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// run is the neighbor's goroutine. It ends when the neighbor is removed or changed.
func (p *peer) run() {
	defer close(p.done)
	if p.previous != nil {
		<-p.previous.done
		p.previous = nil
	}
	p.md5Before = p.sp.md5.read(time.Now())
	p.counters.changed()
	p.dial()
	for !p.vanish() {
		events, pending := p.head()
		select {
		case order := <-p.stop:
			p.leave(order)
			return
		case conn := <-p.incoming:
			p.connected(conn, false)
		case r := <-p.dialled:
			p.dialDone(r)
		case k := <-p.peeked:
			p.peekDone(k)
		case <-p.phase:
			p.judge()
		case s := <-p.ended:
			p.md5Before = p.sp.md5.read(time.Now())
			p.sessionEnded(s)
		case o := <-p.resets:
			p.reset(o)
		case <-p.hint:
			p.backoff.unreachable = 0
			p.dial()
		case <-p.redial.C:
			p.dial()
		case <-p.verdict.C:
			p.conclude()
		case events <- pending:
			p.pending = nil
		}
	}
}

// enlist gives GoBGP a new state machine for the neighbor. One that has had a session
// would refuse connections for its idle hold time first.
func (p *peer) enlist() {
	if err := p.sp.engine.add(p.cfg); err != nil {
		p.log.Error("neighbor not accepted by the session engine", keyReason, err)
	}
}

// delist removes the state machine of a session that has ended from GoBGP.
func (p *peer) delist() {
	if err := p.sp.engine.remove(p.cfg.Address); err != nil {
		p.log.Error("neighbor not removed from the session engine", keyReason, err)
	}
}

// connected handles a new connection. The first becomes the session; a second one
// competes with it.
func (p *peer) connected(conn net.Conn, ours bool) {
	switch {
	case p.current == nil && !ours && !p.backoff.accepts(time.Now()):
		p.turnAway(conn, speaker.Cease(speaker.CeaseRejected), nil)
	case p.current == nil:
		p.start(conn, ours)
	case ours && !p.current.establishedAt().IsZero():
		conn.Close() // the neighbor's connection was faster
	default:
		p.contest(conn, ours)
	}
}

// start makes conn the session.
func (p *peer) start(conn net.Conn, ours bool) {
	// The session reports its states itself, so the same failure again is a new report.
	p.pending, p.state = nil, speaker.StateChanged{}
	p.redial.Stop()
	p.slot = time.Time{}
	s := &session{
		cfg:     p.cfg,
		dialled: ours,
		sp:      p.sp,
		log:     p.log,
		phase:   p.phase,
		number:  p.sp.sessions.Add(1),
		out:     newQueue(),
		tap: newTap(conn, tapOptions{
			neighbor:   p.cfg,
			counters:   p.counters,
			routerID:   p.sp.opts.RouterID,
			restart:    p.sp.restart,
			background: &p.sp.background,
		}),
	}
	s.tap.reading = make(chan struct{})
	p.enlist()
	p.current = s
	p.session.Store(s)
	go func() {
		s.run()
		p.ended <- s
	}()
}

// sessionEnded prepares for the next session. A second connection becomes the session,
// unless the neighbor is held back.
func (p *peer) sessionEnded(s *session) {
	p.current = nil
	p.session.Store(nil)
	p.verdict.Stop()
	p.challenged = false
	p.delist()
	p.failure = s.tap.cause.reason
	now := time.Now()
	// A handshake that lost a collision is no failure. But if it reached Established
	// while judge decided against it, it cost a walk of the table like any session.
	if since := s.establishedAt(); !since.IsZero() || !s.tap.cause.collision() {
		p.backoff.ended(since, now, s.dialled, s.asked)
	}
	p.retain(s, now)
	if !p.backoff.accepts(now) {
		p.refuseSecond("held back", speaker.CeaseRejected)
	}
	state, reason := speaker.Active, p.failure
	if held := p.backoff.reason(now); held != "" {
		state, reason = speaker.Idle, held+": "+p.failure
	}
	p.report(state, reason)
	if p.second != nil {
		p.promote()
		return
	}
	p.schedule()
}

// reset ends the session. The neighbor is dialled again at once, also if it was held back
// for its flaps, provided that an operator asked for the reset.
func (p *peer) reset(o resetOrder) {
	if !o.isFor(p.current) {
		return
	}
	n := o.notification
	asked := n.Code == speaker.CodeCease &&
		(n.Subcode == speaker.CeaseReset || n.Subcode == speaker.CeaseShutdown)
	if asked {
		p.backoff = backoff{there: p.backoff.there}
	}
	if p.current == nil {
		p.dial()
		return
	}
	p.current.asked = asked
	n.Sent = true
	p.current.tap.notify(n, nil, wire.Describe(n))
}

// leave ends everything that the neighbor has. The session's goroutine emits Down before
// run returns.
func (p *peer) leave(order farewellOrder) {
	if p.dialing != nil {
		p.dialing()
	}
	p.redial.Stop()
	p.verdict.Stop()
	p.dropSecond()
	if p.current != nil {
		p.part(order)
		<-p.ended
		p.session.Store(nil)
		p.delist()
	}
	p.dials.Wait()
	p.discardArrivals()
}

func (p *peer) part(order farewellOrder) {
	s := p.current
	if order.graceful && p.cfg.RestartTime > 0 && s.gracefulPeer() {
		s.tap.end(cause{reason: "graceful stop", lost: true, local: true}, nil)
		return
	}
	n := order.notification
	select {
	case o := <-p.resets: // came first, and says why: shut down with a message, say
		if o.isFor(s) {
			n = o.notification
			n.Sent = true
		}
	default:
	}
	s.tap.notify(n, nil, wire.Describe(n))
}

// discardArrivals closes connections that came too late. No more follow: the Speaker
// forgets the neighbor before it orders leave.
func (p *peer) discardArrivals() {
	for {
		select {
		case conn := <-p.incoming:
			conn.Close()
		case r := <-p.dialled:
			if r.conn != nil {
				r.conn.Close()
			}
		default:
			return
		}
	}
}

// report emits a state below Established, unless it is the one reported last. It never
// waits for the reader of events: only the latest state is kept until it can be emitted.
func (p *peer) report(state speaker.State, reason string) {
	ev := speaker.StateChanged{From: speaker.From{Peer: p.cfg.Address}, State: state, Reason: reason}
	if ev != p.state {
		p.state, p.pending = ev, &ev
	}
}

// head returns the pending state, and the channel to send it to. If there is none, the
// channel is nil, which a select never chooses.
func (p *peer) head() (chan<- speaker.Event, speaker.Event) {
	if p.pending == nil {
		return nil, nil
	}
	return p.sp.events, *p.pending
}

// offer hands an accepted connection to the neighbor.
func (p *peer) offer(conn net.Conn) {
	select {
	case p.incoming <- conn:
	default:
		conn.Close() // the neighbor opens them faster than run looks
	}
}

// mostPartings limits the connections of a neighbor that are being turned away: each
// has a descriptor until the neighbor has read the NOTIFICATION, for up to a second.
const mostPartings = 4

// turnAway closes a connection that has no session. It sends a NOTIFICATION, unless too
// many are being turned away already.
func (p *peer) turnAway(conn net.Conn, n speaker.Notification, data []byte) {
	if p.partings.Add(1) > mostPartings {
		p.partings.Add(-1)
		conn.Close()
		return
	}
	p.counters.out[wire.TypeNotification].Add(1)
	t := newTap(conn, tapOptions{})
	p.sp.background.Go(func() {
		defer p.partings.Add(-1)
		t.farewell(wire.NewNotification(n, data))
	})
}
