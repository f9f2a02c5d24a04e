package bfd

import (
	"fmt"
	"strconv"
	"time"
)

// State is a session state (RFC 5880 4.1, Sta).
type State uint8

// States, with their values on the wire.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String returns the name of RFC 5880.
func (s State) String() string {
	if s > Up {
		return "State(" + strconv.Itoa(int(s)) + ")"
	}
	return [...]string{"AdminDown", "Down", "Init", "Up"}[s]
}

// Diag is a diagnostic code, which says why a session last changed its state (RFC 5880 4.1).
type Diag uint8

// Diagnostic codes of RFC 5880 4.1.
const (
	DiagNone Diag = iota
	DiagDetectionExpired
	DiagEchoFailed
	DiagNeighborDown
	DiagForwardingReset
	DiagPathDown
	DiagConcatenatedPathDown
	DiagAdminDown
	DiagReverseConcatenatedPathDown
)

var diagText = [...]string{
	"no diagnostic", "control detection time expired", "echo function failed", "neighbor signaled session down",
	"forwarding plane reset", "path down", "concatenated path down", "administratively down",
	"reverse concatenated path down",
}

// String returns the wording of RFC 5880 4.1.
func (d Diag) String() string {
	if int(d) >= len(diagText) {
		return "diagnostic " + strconv.Itoa(int(d))
	}
	return diagText[d]
}

// session is the state machine for one peer, with the state variables of RFC 5880 6.8.1.
// The caller passes the time with each step, and carries out the effects.
type session struct {
	wanted Session
	random func() float64 // in [0, 1), for jitter

	state  State
	diag   Diag
	discr  uint32
	remote remote

	desiredMinTx, requiredMinRx time.Duration // as advertised
	txFloor, rxFloor            time.Duration // in use, see advertise
	poll                        poll

	interval time.Duration // between packets before jitter; 0 while silent
	lastTx   time.Time
	nextTx   time.Time     // zero: no periodic transmission
	detectAt time.Time     // end of the detection time; zero: no packet was received
	extended time.Duration // by how much detectAt was extended since the last packet
	leaveAt  time.Time     // until when a removed session sends AdminDown; else zero

	auth auth

	since    time.Time // last change of state
	flaps    uint64
	lastDown string // reason in words
	packets  struct{ in, out uint64 }
	refused  refusals
}

// refusals count packets between the session's addresses that it did not accept.
type refusals struct {
	count uint64
	last  string // why
}

// remote is the peer's state according to its last packet.
type remote struct {
	discr      uint32
	state      State
	diag       Diag
	demand     bool
	multiplier uint8
	minTx      time.Duration
	minRx      time.Duration
}

// unknown is the peer before its first packet. Its RemoteMinRxInterval is one microsecond
// (6.8.1), so packets may be sent to it.
var unknown = remote{state: Down, minRx: time.Microsecond}

// Events of a session.
type (
	received     struct{ packet packet }
	tick         struct{}                     // a deadline may have passed
	starved      struct{ late time.Duration } // the loop ran late by so much
	reconfigured struct{ wanted Session }
	linked       struct{} // packets can be sent now
	disabled     struct{}
	enabled      struct{}
)

// effects of a step: at most one packet and one change of state.
type effects struct {
	send   *packet
	change *change
}

// change is a change of state, with the reason in words. An administrative one says
// nothing about the path (RFC 5882 3.2).
type change struct {
	from, to       State
	reason         string
	administrative bool
	extended       time.Duration
}

func newSession(wanted Session, discr uint32, random func() float64, now time.Time) *session {
	s := &session{wanted: wanted, discr: discr, random: random, state: Down, remote: unknown, since: now}
	s.advertise()
	s.reschedule(now)
	return s
}

// step handles an event. The caller must pass a tick when deadline has passed.
func (s *session) step(event any, now time.Time) effects {
	var e effects
	switch event := event.(type) {
	case received:
		e = s.receive(event.packet, now)
	case tick:
		e = s.tick(now)
	case starved:
		s.extend(event.late)
	case reconfigured:
		s.wanted = event.wanted
		s.advertise()
	case linked:
		s.nextTx = now
	case disabled:
		e.change = s.move(AdminDown, DiagAdminDown, "administratively down", now)
		e.change.administrative = true
		e.send = s.transmit(now)
		s.leaveAt = now.Add(time.Duration(s.wanted.Multiplier) * s.txInterval())
	case enabled:
		s.leaveAt = time.Time{}
		e.change = s.move(Down, DiagNone, "enabled", now)
		e.send = s.transmit(now)
	default:
		panic(fmt.Sprintf("bfd: unknown event %T", event))
	}
	s.reschedule(now)
	return e
}

// receive handles a packet of the session, by the second half of RFC 5880 6.8.6.
func (s *session) receive(p packet, now time.Time) effects {
	s.packets.in++
	s.extended = 0
	s.remote = remote{
		discr: p.my, state: p.state, diag: p.diag, demand: p.demand,
		multiplier: p.multiplier, minTx: p.desiredMinTx, minRx: p.requiredMinRx,
	}
	if p.final {
		s.endPoll()
	}
	if s.state == AdminDown {
		s.detectAt = now.Add(s.detectionTime())
		return effects{}
	}
	e := effects{change: s.follow(p, now)}
	s.detectAt = now.Add(s.detectionTime())
	switch {
	case p.poll: // the answer has the new state, too
		answer := s.packet()
		answer.final = true
		e.send = &answer
	case e.change != nil:
		e.send = s.transmit(now)
	}
	return e
}

// follow changes the state as the peer's state demands (RFC 5880 6.2, 6.8.6).
func (s *session) follow(p packet, now time.Time) *change {
	switch {
	case p.state == AdminDown && s.state != Down:
		c := s.move(Down, DiagNeighborDown, "the peer is administratively down", now)
		c.administrative = true
		return c
	case p.state == Down && s.state == Down:
		return s.move(Init, DiagNone, "the peer has answered", now)
	case p.state == Init && s.state != Up, p.state == Up && s.state == Init:
		return s.move(Up, DiagNone, "both sides hear each other", now)
	case p.state == Down && s.state == Up:
		return s.move(Down, DiagNeighborDown, "the peer says that the session is down: "+p.diag.String(), now)
	}
	return nil
}

func (s *session) tick(now time.Time) effects {
	var e effects
	if passed(s.detectAt, now) {
		e = s.expire(now)
	}
	if e.send == nil && passed(s.nextTx, now) {
		e.send = s.transmit(now)
	}
	return e
}

// expire handles a detection time without a packet. In every state the peer is forgotten
// (6.8.1, RemoteDiscr), so that it can come back with another discriminator.
func (s *session) expire(now time.Time) effects {
	var e effects
	reason := fmt.Sprintf("nothing received for %v", s.detectionTime())
	if s.extended > 0 {
		reason += fmt.Sprintf(", and %v more for which this process was held up", s.extended.Round(time.Millisecond))
	}
	s.detectAt, s.remote, s.poll = time.Time{}, unknown, poll{}
	if s.state == Init || s.state == Up {
		e.change = s.move(Down, DiagDetectionExpired, reason, now)
		e.change.extended = s.extended
		e.send = s.transmit(now)
	}
	return e
}

// move changes the state, and the advertised intervals with it: in all states but Up,
// packets are sent slowly (6.8.3).
func (s *session) move(to State, diag Diag, reason string, now time.Time) *change {
	c := &change{from: s.state, to: to, reason: reason}
	s.state, s.diag, s.since = to, diag, now
	if c.from == Up {
		s.flaps++
	}
	if to == Down || to == AdminDown {
		s.lastDown = reason
	}
	s.advertise()
	return c
}

func passed(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}
