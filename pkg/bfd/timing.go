package bfd

import "time"

// slowInterval is the least transmission interval while a session is not up
// (RFC 5880 6.8.3).
const slowInterval = time.Second

// poll is a Poll Sequence (RFC 5880 6.5). The peer's Final ends it. If parameters change
// meanwhile, another one is needed, because Final may answer the older ones.
type poll struct {
	running bool
	sent    bool // a packet with P was sent
	again   bool
}

// advertise sets the intervals in the packets. If they change, a Poll Sequence starts. While
// the session is up, two kinds of change take effect only when the sequence ends (6.8.3): a
// longer interval of nvad's packets, which the peer must expect first, and a shorter
// interval of the peer's packets, which the peer must keep first.
func (s *session) advertise() {
	tx, rx := s.wanted.MinTx, s.wanted.MinRx
	if s.state != Up {
		tx = max(tx, slowInterval)
	}
	if tx == s.desiredMinTx && rx == s.requiredMinRx {
		return
	}
	s.desiredMinTx, s.requiredMinRx = tx, rx
	if s.state == Up {
		s.txFloor, s.rxFloor = min(s.txFloor, tx), max(s.rxFloor, rx)
	} else {
		s.txFloor, s.rxFloor = tx, rx
	}
	switch {
	case s.remote.discr == 0: // nobody to ask
	case s.poll.running:
		s.poll.again = true
	default:
		s.poll.running = true
	}
}

func (s *session) endPoll() {
	switch {
	case !s.poll.sent:
	case s.poll.again:
		s.poll = poll{running: true}
	default:
		s.poll = poll{}
		s.txFloor, s.rxFloor = s.desiredMinTx, s.requiredMinRx
	}
}

// txInterval returns the interval between periodic packets before jitter (6.8.2, 6.8.7).
func (s *session) txInterval() time.Duration { return max(s.txFloor, s.remote.minRx) }

// rxInterval returns the interval at which the peer sends.
func (s *session) rxInterval() time.Duration { return max(s.rxFloor, s.remote.minTx) }

// detectionTime returns the peer's multiplier times its interval (6.8.4).
func (s *session) detectionTime() time.Duration {
	return time.Duration(s.remote.multiplier) * s.rxInterval()
}

// silent reports whether 6.8.7 forbids periodic packets.
func (s *session) silent() bool {
	demand := s.remote.demand && s.state == Up && s.remote.state == Up
	return s.remote.minRx == 0 || demand && !s.poll.running
}

// reschedule sets the time of the next periodic packet. It is called after everything that
// may have changed the interval. A shorter interval counts from the last packet.
func (s *session) reschedule(now time.Time) {
	if s.silent() {
		s.interval, s.nextTx = 0, time.Time{}
		return
	}
	if next := s.txInterval(); next != s.interval || s.nextTx.IsZero() {
		s.interval = next
		s.nextTx = s.lastTx.Add(s.jitter(next))
		if s.nextTx.Before(now) {
			s.nextTx = now
		}
	}
}

// transmit returns a packet to send now, periodic or because the state changed.
func (s *session) transmit(now time.Time) *packet {
	p := s.packet()
	p.poll = s.poll.running
	s.poll.sent = s.poll.sent || p.poll
	s.lastTx = now
	s.interval, s.nextTx = 0, time.Time{}
	s.reschedule(now)
	return &p
}

// jitter shortens an interval to 75-100 % of it, or 75-90 % if a single lost packet takes
// the session down (6.8.7).
func (s *session) jitter(interval time.Duration) time.Duration {
	span := 0.25
	if s.wanted.Multiplier == 1 {
		span = 0.15
	}
	return time.Duration(float64(interval) * (0.75 + span*s.random()))
}

// extend moves the detection deadline by the time that the loop was late. The deadline is
// then at most one detection time away, so a process that was frozen for a minute still
// notices a dead peer soon.
func (s *session) extend(late time.Duration) {
	if !s.detectAt.IsZero() {
		s.detectAt = s.detectAt.Add(late)
		s.extended += late
	}
}

// packet returns a packet with the present state, without P and F.
func (s *session) packet() packet {
	return packet{
		diag: s.diag, state: s.state, multiplier: s.wanted.Multiplier, my: s.discr, your: s.remote.discr,
		desiredMinTx: s.desiredMinTx, requiredMinRx: s.requiredMinRx,
	}
}

// deadline returns when a tick has something to do next; zero if never.
func (s *session) deadline() time.Time {
	return earliest(earliest(s.nextTx, s.detectAt), s.leaveAt)
}

// earliest returns the earlier of two deadlines, where zero means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
