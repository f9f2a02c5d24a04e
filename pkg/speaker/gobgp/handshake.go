package gobgp

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// Limits of a handshake. handshakeTime is the time for the neighbor's OPEN (RFC 4271 8.2.2
// suggests four minutes), and for its KEEPALIVE if no hold time is negotiated. A
// negotiated hold time limits the wait for KEEPALIVE, but to longestConfirm at most.
const (
	handshakeTime  = 30 * time.Second
	longestConfirm = 4 * time.Minute
)

// expect sets the time by which the named message must have arrived. It returns false if
// the session has ended.
func (s *session) expect(message string, within time.Duration) bool {
	s.expected = fmt.Sprintf("no %s within %s", message, within)
	return s.tap.readUntil(time.Now().Add(within))
}

// overdue returns why a handshake that took too long has ended. If a connection under TTL
// security stands and no OPEN comes, the kernel may be dropping its packets: the SYN was
// accepted by a listener, which does not check the TTL.
func (s *session) overdue() string {
	reason := "hold timer expired: " + s.expected
	if s.cfg.TTLSecurity > 0 && !s.opened {
		reason += ttlHint
	}
	return reason
}

const ttlHint = " (ttl-security: does the neighbor send with TTL 255, and is it as near as configured?)"

// handshake takes the connection from the first message to Established:
//
//   - GoBGP takes the connection and sends OPEN, which the tap replaces by nvad's;
//   - the neighbor's OPEN is checked, and a stripped one goes to GoBGP, which answers with
//     KEEPALIVE: accepted is closed;
//   - the neighbor's KEEPALIVE goes to GoBGP, which starts its timers.
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

// confirmTime returns the hold time in OPENCONFIRM (RFC 4271 8.2.2).
func (s *session) confirmTime() time.Duration {
	if hold := s.holdTime(); hold > 0 {
		return min(hold, longestConfirm)
	}
	return s.sp.handshakeTime
}

// holdTime returns the negotiated hold time, 0 if there is none.
func (s *session) holdTime() time.Duration { return min(s.cfg.HoldTime, s.peer.HoldTime) }

// keepAlive sends KEEPALIVEs in OPENCONFIRM, until done is closed. Once the session is
// established, GoBGP sends them.
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

// keepaliveTime returns a third of the negotiated hold time, unless another interval is
// configured and the neighbor has not asked for a shorter hold time.
func (s *session) keepaliveTime() time.Duration {
	if hold := s.holdTime(); s.cfg.Keepalive == 0 || hold < s.cfg.HoldTime {
		return hold / 3
	}
	return s.cfg.Keepalive
}

// handOver gives the connection to GoBGP, again and again until GoBGP takes it. A state
// machine that was just created needs some microseconds to become Active, and closes a
// connection that it gets before.
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
	s.tap.end(cause{reason: "the session engine does not take the connection", local: true}, nil)
	return false
}

// receiveOpen checks the peer's OPEN and has GoBGP answer it with a KEEPALIVE.
func (s *session) receiveOpen(m wire.Message) error {
	peer, err := wire.ParseOpen(m)
	if err != nil {
		return err
	}
	s.received = slices.Clone(m)
	s.mu.Lock()
	s.peer, s.opened = peer, true
	s.mu.Unlock()
	s.wakePeer()
	if err := peer.Check(&s.cfg, s.sp.opts.RouterID); err != nil {
		return err
	}
	if s.cfg.HoldTime == 0 {
		peer.HoldTime = 0 // without hold and keepalive timers (RFC 4271 4.2)
	}
	s.tap.deliver(peer.Stripped())
	return nil
}

// await waits for ch. It returns false if the connection ends first.
func (s *session) await(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	case <-s.tap.done:
		return false
	}
}
