package gobgp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// session is one connection that was handed to GoBGP, from the first byte to
// the end. Its goroutine, run, reads the socket and is the only one to emit
// events while the session lasts.
type session struct {
	cfg      speaker.Neighbor
	tap      *tap
	dialled  bool
	sp       *Speaker
	log      *slog.Logger
	phase    chan<- *session // told of the peer's OPEN and of Established
	number   uint64
	out      *queue
	writer   sync.WaitGroup
	lastPoke time.Time
	asked    bool                         // an operator had it reset; of the neighbor's goroutine
	decoder  atomic.Pointer[wire.Decoder] // for octets; nil unless established

	expected  string // what the handshake misses if it takes too long
	announced bool   // Established was emitted, so Down must be

	mu          sync.Mutex // guards what the neighbor's goroutine looks at
	peer        wire.Open
	opened      bool
	established time.Time
}

// handshakeTime bounds the time until the peer's OPEN, for which RFC 4271 8.2.2
// suggests four minutes, and after it the time until its KEEPALIVE where the
// negotiated hold time does not. Four minutes bound that one in any case.
const (
	handshakeTime  = 30 * time.Second
	longestConfirm = 4 * time.Minute
)

// run receives until the connection ends, then ends the session.
func (s *session) run() {
	s.endBy(s.read())
	close(s.tap.reading)
	s.writer.Wait()
	s.farewell()
}

// read receives until it cannot go on.
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

// expect bounds the time until the named message has arrived; false if the
// session has ended.
func (s *session) expect(message string, within time.Duration) bool {
	s.expected = fmt.Sprintf("no %s within %s", message, within)
	return s.tap.readUntil(time.Now().Add(within))
}

// endBy ends the connection for the error that stopped reception.
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

// overdue is the reason for the end of a handshake that took too long. Where no
// OPEN comes although the connection stands, its packets may be those that the
// kernel drops.
func (s *session) overdue() string {
	reason := "hold timer expired: " + s.expected
	if s.cfg.TTLSecurity > 0 && !s.opened {
		reason += ttlHint
	}
	return reason
}

const ttlHint = " (ttl-security: does the neighbor send with TTL 255, and is it as near as configured?)"

// handshake takes the connection from the first message to Established.
func (s *session) handshake(r io.Reader, buf []byte) error {
	if !s.handOver() {
		return errEnded
	}
	s.push(speaker.StateChanged{From: s.from(), State: speaker.OpenSent})
	m, err := s.next(r, buf, false)
	if err != nil {
		return err
	}
	if m.Type() != wire.TypeOpen {
		return wire.Unexpected(m, speaker.OpenSent)
	}
	if err := s.receiveOpen(m); err != nil {
		return err
	}
	if !s.await(s.tap.accepted) {
		return errEnded
	}
	if !s.expect("KEEPALIVE", s.confirmTime()) {
		return errEnded
	}
	s.push(speaker.StateChanged{From: s.from(), State: speaker.OpenConfirm})
	confirmed := make(chan struct{})
	defer close(confirmed)
	go s.keepAlive(confirmed)
	if m, err = s.next(r, buf, false); err != nil {
		return err
	}
	if m.Type() != wire.TypeKeepalive {
		return wire.Unexpected(m, speaker.OpenConfirm)
	}
	s.tap.deliver(m)
	return nil
}

// confirmTime is the hold time of OPENCONFIRM, the negotiated one (RFC 4271 8.2.2).
func (s *session) confirmTime() time.Duration {
	if hold := s.holdTime(); hold > 0 {
		return min(hold, longestConfirm)
	}
	return s.sp.handshakeTime
}

// holdTime is the negotiated one, 0 if there is none.
func (s *session) holdTime() time.Duration { return min(s.cfg.HoldTime, s.peer.HoldTime) }

// keepAlive sends KEEPALIVEs until done is closed. GoBGP begins with its own once
// the session is established.
func (s *session) keepAlive(done <-chan struct{}) {
	interval := s.keepaliveTime()
	if interval <= 0 {
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if s.tap.send(wire.Keepalive) != nil {
				return
			}
			s.tap.counters.out[wire.Keepalive.Type()].Add(1)
		case <-done:
			return
		}
	}
}

// keepaliveTime is a third of the negotiated hold time, unless the configuration
// says otherwise.
func (s *session) keepaliveTime() time.Duration {
	if hold := s.holdTime(); s.cfg.Keepalive == 0 || hold < s.cfg.HoldTime {
		return hold / 3
	}
	return s.cfg.Keepalive
}

// handOver gives the connection to GoBGP until that takes it. A state machine
// that was just created takes some microseconds to become Active, and closes
// what it gets before.
func (s *session) handOver() bool {
	begin := time.Now()
	for pause := time.Millisecond; time.Since(begin) < handshakeTime; pause = min(2*pause, firstPause) {
		s.sp.engine.accept <- s.tap
		select {
		case <-s.tap.opened:
			return true
		case <-s.tap.refused:
			s.sp.pause(pause)
		case <-s.tap.done:
			return false
		}
	}
	s.tap.end(cause{reason: "the session engine does not take the connection"}, nil)
	return false
}

// receiveOpen checks the peer's OPEN and has GoBGP answer it with a KEEPALIVE.
func (s *session) receiveOpen(m wire.Message) error {
	peer, err := wire.ParseOpen(m)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.peer, s.opened = peer, true
	s.mu.Unlock()
	s.tell()
	if err := peer.Check(&s.cfg, s.sp.opts.RouterID); err != nil {
		return err
	}
	if s.cfg.HoldTime == 0 {
		peer.HoldTime = 0 // without hold and keepalive timers (RFC 4271 4.2)
	}
	s.tap.deliver(peer.Stripped())
	return nil
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
			s.tap.counters.malformed.add(bad)
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
		s.tap.end(cause{reason: wire.DescribeReceived(n, &s.cfg), notification: &n}, nil)
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

// establish opens the queue of what is sent and announces the session.
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
	s.tell()
	s.writer.Go(w.run)
	s.log.Debug("session established", "families", ev.Families.String(), "hold_time", ev.HoldTime)
	s.announced = s.push(ev)
	return s.announced
}

// facts is the Established event.
func (s *session) facts() speaker.Established {
	ev := speaker.Established{
		From:         s.from(),
		Session:      s.number,
		RemoteID:     s.peer.ID,
		Families:     s.families(),
		HoldTime:     s.holdTime(),
		Keepalive:    s.keepaliveTime(),
		FourOctetASN: s.peer.FourOctetASN,
		RouteRefresh: s.peer.RouteRefresh,
		Capabilities: s.peer.Names,
	}
	if s.tap.local != nil {
		ev.LocalAddress = s.tap.local.AddrPort().Addr().Unmap()
	}
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

// establishedAt is zero before the session is established.
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

// await waits for ch, or false if the connection ends first.
func (s *session) await(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	case <-s.tap.done:
		return false
	}
}

// tell wakes the neighbor's goroutine: a collision may be decidable now.
func (s *session) tell() {
	select {
	case s.phase <- s:
	default: // it has yet to look at an earlier one, and will see this too
	}
}

// poke keeps GoBGP's hold timer from running out while UPDATEs arrive, which it
// does not see.
func (s *session) poke() {
	if now := time.Now(); now.Sub(s.lastPoke) >= time.Second {
		s.lastPoke = now
		s.tap.alive()
	}
}

// push emits ev. While the queue of events is full the socket is not read; the
// peer is no less alive for that. It returns false if the session has ended.
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

// farewell emits the end of an established session. Nothing but the end of the
// Speaker keeps it from being told.
func (s *session) farewell() {
	c := s.tap.cause
	if !s.announced {
		s.log.Debug("session not established", keyReason, c.reason)
		return
	}
	s.tap.counters.changed()
	s.log.Debug("session down", keyReason, c.reason)
	ev := speaker.Down{From: s.from(), Reason: c.reason, Notification: c.notification}
	ev.Graceful = c.lost && s.gracefulPeer()
	select {
	case s.sp.events <- ev:
	case <-s.sp.ctx.Done():
	}
}

// queuedOctets is what a change takes that is not yet on the wire, with its place
// in the index.
const queuedOctets = 128

// octets estimates the memory that the session holds, with queued changes that are
// not yet on the wire.
func (s *session) octets(queued int) int {
	n := queued * queuedOctets
	if d := s.decoder.Load(); d != nil {
		n += d.CacheOctets()
	}
	return n
}
