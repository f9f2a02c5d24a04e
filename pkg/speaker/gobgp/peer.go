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

// peer is one configured neighbor. Its goroutine, run, owns dialling and which
// connection is the session; other goroutines reach it through the channels.
type peer struct {
	cfg      speaker.Neighbor
	sp       *Speaker
	log      *slog.Logger
	counters *counters
	previous *peer // of the same address, which must be gone first

	incoming chan net.Conn // accepted
	resets   chan resetOrder
	hint     chan struct{}
	stop     chan farewellOrder
	done     chan struct{}

	session atomic.Pointer[session] // for Send

	// The rest is run's alone.
	dialled chan dialResult
	peeked  chan *peek
	phase   chan *session
	ended   chan *session
	dialing context.CancelFunc
	dials   sync.WaitGroup
	current *session
	second  *peek
	backoff backoff
	failure string      // why the last attempt or session ended
	slot    time.Time   // when the pace of dialling allows the next attempt; zero: not asked
	redial  *time.Timer // for the next attempt, or the end of a hold
	verdict *time.Timer // the established session has until then to prove dead
	// challenged says that verdict runs.
	challenged bool
	partings   atomic.Int32 // connections that are being turned away
	news       *speaker.StateChanged
	state      speaker.StateChanged // the last told
	// md5Before are the failures when the last session ended.
	md5Before md5Failures
}

// resetOrder tells run to end a session.
type resetOrder struct {
	session      uint64 // the only one it is for; 0: any
	notification speaker.Notification
}

// isFor reports whether the order is for s, which may be nil.
func (o resetOrder) isFor(s *session) bool {
	return o.session == 0 || s != nil && s.number == o.session
}

// farewellOrder tells run to end.
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

// run is the neighbor's goroutine.
func (p *peer) run() {
	defer close(p.done)
	if p.previous != nil {
		<-p.previous.done
		p.previous = nil
	}
	p.md5Before = p.sp.md5.read(time.Now())
	p.counters.changed()
	p.dial()
	for {
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
		case p.newsChannel() <- p.newsEvent():
			p.news = nil
		}
	}
}

// enlist gives GoBGP a fresh state machine for the neighbor, one that owes no
// idle hold time.
func (p *peer) enlist() {
	if err := p.sp.engine.add(p.cfg); err != nil {
		p.log.Error("neighbor not accepted by the session engine", keyReason, err)
	}
}

// delist takes the state machine of the session that ended out of GoBGP.
func (p *peer) delist() {
	if err := p.sp.engine.remove(p.cfg.Address); err != nil {
		p.log.Error("neighbor not removed from the session engine", keyReason, err)
	}
}

// connected takes a new connection: the first one becomes the session, a second
// one has to be judged.
func (p *peer) connected(conn net.Conn, ours bool) {
	switch {
	case p.current == nil && !ours && !p.backoff.accepts(time.Now()):
		p.turnAway(conn, speaker.Cease(speaker.CeaseRejected), nil)
	case p.current == nil:
		p.start(conn, ours)
	case ours && !p.current.establishedAt().IsZero():
		conn.Close() // dialled for nothing
	default:
		p.contest(conn, ours)
	}
}

// start makes conn the session.
func (p *peer) start(conn net.Conn, ours bool) {
	// What the session reports follows, so that the same failure again is news.
	p.news, p.state = nil, speaker.StateChanged{}
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

// sessionEnded prepares for the next session, with the second connection if
// there is one and the neighbor need not be held back.
func (p *peer) sessionEnded(s *session) {
	p.current = nil
	p.session.Store(nil)
	p.verdict.Stop()
	p.challenged = false
	p.delist()
	p.failure = s.tap.cause.reason
	now := time.Now()
	if !s.tap.cause.collision() {
		p.backoff.ended(s.establishedAt(), now, s.dialled, s.asked)
	}
	if !p.backoff.accepts(now) {
		p.refuseSecond("held back", speaker.CeaseRejected)
	}
	state, reason := speaker.Active, p.failure
	if held := p.backoff.reason(now); held != "" {
		state, reason = speaker.Idle, held+": "+p.failure
	}
	p.tellState(state, reason)
	if p.second != nil {
		p.promote()
		return
	}
	p.schedule()
}

// reset ends the session; the neighbor is dialled again at once, unless the reset
// is nobody's wish and the neighbor is held back for its flaps.
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

// leave ends everything the neighbor has. The session's goroutine tells of the
// end before run returns.
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
		s.tap.end(cause{reason: "graceful stop", lost: true}, nil)
		return
	}
	n := order.notification
	select {
	case o := <-p.resets: // asked for before, and says more
		if o.isFor(s) {
			n = o.notification
			n.Sent = true
		}
	default:
	}
	s.tap.notify(n, nil, wire.Describe(n))
}

// discardArrivals closes connections nobody will take any more. The listener
// finds the neighbor gone before leave is ordered.
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

// tellState reports a state below Established. Only the latest matters, and it
// never waits for the reader of events.
func (p *peer) tellState(state speaker.State, reason string) {
	ev := speaker.StateChanged{From: speaker.From{Peer: p.cfg.Address}, State: state, Reason: reason}
	if ev != p.state {
		p.state, p.news = ev, &ev
	}
}

func (p *peer) newsChannel() chan<- speaker.Event {
	if p.news == nil {
		return nil
	}
	return p.sp.events
}

func (p *peer) newsEvent() speaker.Event {
	if p.news == nil {
		return nil
	}
	return *p.news
}

// gone reports whether run has returned.
func (p *peer) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// offer hands an accepted connection to the neighbor.
func (p *peer) offer(conn net.Conn) {
	select {
	case p.incoming <- conn:
	default:
		conn.Close() // the peer opens them faster than we look
	}
}

// mostPartings bounds the connections of a neighbor that are being turned away:
// each takes a descriptor until the neighbor has read why, or a second.
const mostPartings = 4

// turnAway closes a connection that is no session with a NOTIFICATION, or without
// if there are too many.
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
