package gobgp

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// session is one connection that is handed to GoBGP, from the first octet to the end. Its
// goroutine, run, reads the socket, and nobody else emits events of the neighbor while the
// session lasts.
type session struct {
	cfg      speaker.Neighbor
	tap      *tap
	dialled  bool
	sp       *Speaker
	log      *slog.Logger
	phase    chan<- *session // notified of the peer's OPEN and of Established
	number   uint64
	out      *queue
	writer   sync.WaitGroup
	lastPoke time.Time
	asked    bool                         // an operator had it reset; only the neighbor's goroutine uses it
	decoder  atomic.Pointer[wire.Decoder] // nil unless established

	expected  string // the message that is missing if the handshake takes too long
	announced bool   // Established was emitted, so Down must be
	received  []byte // the peer's OPEN

	mu          sync.Mutex // guards what the neighbor's goroutine reads
	peer        wire.Open
	opened      bool
	established time.Time
}

// run receives until the connection ends, then emits the end of the session.
func (s *session) run() {
	s.endBy(s.read())
	close(s.tap.reading)
	s.writer.Wait()
	s.farewell()
}

// read receives until an error, which it returns.
func (s *session) read() error {
	if !s.expect("OPEN", s.sp.handshakeTime) {
		return errEnded
	}
	r := bufio.NewReaderSize(s.tap.conn, 1<<15)
	buf := make([]byte, wire.MaxLen)
	if err := s.handshake(r, buf); err != nil {
		return err
	}
	if !s.tap.readUntil(time.Time{}) {
		return errEnded
	}
	return s.receive(r, buf)
}

// endBy ends the connection because of the error that read returned, unless it has ended.
func (s *session) endBy(err error) {
	var f *wire.Fault
	switch {
	case errors.As(err, &f):
		n := speaker.Notification{Code: f.Code, Subcode: f.Subcode, Sent: true}
		s.tap.notify(n, f.Data, wire.Describe(n)+" ("+f.Reason+")")
	case errors.Is(err, os.ErrDeadlineExceeded): // only the handshake has one
		s.tap.notify(speaker.Notification{Code: speaker.CodeHoldTimer}, nil, s.overdue())
	default:
		s.tap.end(lostBy(err), nil)
	}
}

// receive handles the messages of an established session.
func (s *session) receive(r io.Reader, buf []byte) error {
	if !s.establish() {
		return errEnded
	}
	dec := wire.NewDecoder(s.decoderOptions())
	s.decoder.Store(dec)
	defer s.decoder.Store(nil) // its cache goes with the session
	for {
		m, err := s.next(r, buf, s.peer.Extended)
		if err != nil {
			return err
		}
		buf = m[:0:cap(m)]
		switch m.Type() {
		case wire.TypeUpdate:
			s.poke()
			bad, err := dec.Update(m.Body(), s.push)
			s.tap.counters.addMalformed(bad)
			if err != nil {
				return err
			}
		case wire.TypeKeepalive:
			s.tap.alive()
		case wire.TypeRouteRefresh:
			s.tap.alive()
			if err := s.refresh(m); err != nil {
				return err
			}
		default:
			return wire.Unexpected(m, speaker.EstablishedState)
		}
	}
}

// next reads a message. A NOTIFICATION ends the connection.
func (s *session) next(r io.Reader, buf []byte, extended bool) (wire.Message, error) {
	m, err := wire.ReadMessage(r, buf, extended)
	if err != nil {
		return m, err
	}
	s.tap.counters.in[m.Type()].Add(1)
	if m.Type() == wire.TypeNotification {
		n := wire.ParseNotification(m, false)
		s.tap.end(cause{reason: wire.DescribeReceived(n, &s.cfg), notification: &n, message: slices.Clone(m)}, nil)
		return m, errEnded
	}
	return m, nil
}

// refresh handles a ROUTE-REFRESH (RFC 2918 3).
func (s *session) refresh(m wire.Message) error {
	family, err := wire.ParseRouteRefresh(m)
	if family != 0 && s.families().Has(family) {
		s.push(speaker.RouteRefresh{From: s.from(), Family: family})
	}
	return err
}

// establish starts the writer and emits Established. It returns false if the session has
// ended before that.
func (s *session) establish() bool {
	ev := s.facts()
	if ev.HoldTime > 0 {
		s.tap.sendHold.Store(int64(sendHoldTime(ev.HoldTime)))
		withoutKeepAlive(s.tap.conn)
	}
	s.tap.counters.established.Add(1)
	s.tap.counters.changed()
	w := newWriter(s)
	s.mu.Lock()
	s.established = time.Now()
	s.mu.Unlock()
	s.wakePeer()
	s.writer.Go(w.run)
	s.log.Debug("session established", "families", ev.Families.String(), "hold_time", ev.HoldTime)
	s.announced = s.push(ev)
	return s.announced
}

// facts returns the Established event.
func (s *session) facts() speaker.Established {
	ev := speaker.Established{
		From:         s.from(),
		Session:      s.number,
		RemoteASN:    s.peer.ASN,
		RemoteID:     s.peer.ID,
		Families:     s.families(),
		HoldTime:     s.holdTime(),
		Keepalive:    s.keepaliveTime(),
		FourOctetASN: s.peer.FourOctetASN,
		RouteRefresh: s.peer.RouteRefresh,
		Capabilities: s.peer.Names,
		OpenReceived: s.received,
	}
	if s.tap.local != nil {
		ev.LocalAddress = s.tap.local.AddrPort().Addr().Unmap()
		ev.LocalPort = s.tap.local.AddrPort().Port()
	}
	if s.tap.remote != nil {
		ev.RemotePort = s.tap.remote.AddrPort().Port()
	}
	s.tap.mu.Lock()
	ev.OpenSent = s.tap.open
	s.tap.mu.Unlock()
	if s.peer.Graceful && s.cfg.RestartTime > 0 {
		ev.GracefulPeer = s.peer.Keeps & ev.Families
		ev.PeerRestart = s.peer.RestartTime
		ev.PeerRestarted = s.peer.Restarted
		ev.Preserved = s.peer.Preserved & ev.Families
	}
	return ev
}

func (s *session) families() route.Family { return s.cfg.Families & s.peer.Families }

func (s *session) from() speaker.From { return speaker.From{Peer: s.cfg.Address} }

func (s *session) decoderOptions() wire.DecoderOptions {
	return wire.DecoderOptions{
		Interner: s.sp.opts.Interner,
		From:     s.from(),
		Families: s.families(),
		Internal: s.cfg.IsInternal(),
		TwoOctet: !s.peer.FourOctetASN,

		MaxASPath:     s.cfg.MaxASPath,
		MaxAttributes: s.cfg.MaxAttributes,

		Loopback: isLoopback(s.tap.local.AddrPort().Addr()) && isLoopback(s.cfg.Address),
	}
}

func isLoopback(a netip.Addr) bool { return a.Unmap().IsLoopback() }

// establishedAt returns zero before the session is established.
func (s *session) establishedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.established
}

// gracefulPeer reports whether graceful restart is negotiated (RFC 4724 4.2).
func (s *session) gracefulPeer() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.RestartTime > 0 && s.peer.Graceful && s.peer.Keeps&s.families() != 0
}

// wakePeer wakes the neighbor's goroutine, which may be able to decide a collision now.
func (s *session) wakePeer() {
	select {
	case s.phase <- s:
	default: // it has not handled the last one yet, and will see the latest state then
	}
}

// poke restarts GoBGP's hold timer, at most once a second. GoBGP does not see the UPDATEs
// that arrive, so a neighbor that sends nothing else would seem to be dead.
func (s *session) poke() {
	if now := time.Now(); now.Sub(s.lastPoke) >= time.Second {
		s.lastPoke = now
		s.tap.alive()
	}
}

// push emits ev. While the queue of events is full, the socket is not read. The neighbor's
// KEEPALIVEs wait there too, so push restarts GoBGP's hold timer meanwhile. It
// returns false if the session has ended.
func (s *session) push(ev speaker.Event) bool {
	select {
	case s.sp.events <- ev:
		return true
	default:
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case s.sp.events <- ev:
			return true
		case <-tick.C:
			if s.announced {
				s.tap.alive()
			}
		case <-s.tap.done:
			return false
		}
	}
}

// farewell emits Down, if Established was emitted. It waits for room in the queue of
// events, unless the Speaker ends.
func (s *session) farewell() {
	c := s.tap.cause
	if !s.announced {
		s.log.Debug("session not established", keyReason, c.reason)
		return
	}
	s.tap.counters.changed()
	s.log.Debug("session down", keyReason, c.reason)
	ev := speaker.Down{
		From: s.from(), Reason: c.reason, Notification: c.notification, Message: c.message, Local: c.local, FSMEvent: c.event,
	}
	ev.Graceful = c.lost && s.gracefulPeer()
	select {
	case s.sp.events <- ev:
	case <-s.sp.ctx.Done():
	}
}

// queuedOctets is the memory of a queued change, with its entry in the index.
const queuedOctets = 128

// octets estimates the memory that the session holds with a number of queued changes.
func (s *session) octets(queued int) int {
	n := queued * queuedOctets
	if d := s.decoder.Load(); d != nil {
		n += d.CacheOctets()
	}
	return n
}
