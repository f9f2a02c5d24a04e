package bfd

import (
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	// retryInterval is the time between two attempts to open a session's socket.
	retryInterval = time.Second
	// timerSlack is how late every timer may be.
	timerSlack = time.Millisecond
)

// loop owns all sessions. Everything in it runs on one goroutine.
type loop struct {
	log      *slog.Logger
	port     port
	sessions map[Key]*entry
	byDiscr  map[uint32]*entry
	backlog  backlog
	discards map[string]uint64
	flood    flood
	shielded []rule        // the rules in the kernel's filters; empty: there are none
	wake     time.Time     // the next deadline; zero: none
	lateness time.Duration // the longest so far
}

// entry is a session and its socket.
type entry struct {
	*session
	link    link // nil: not open
	err     error
	retryAt time.Time // zero while open
}

func newLoop(log *slog.Logger, p port) *loop {
	return &loop{
		log: log, port: p, sessions: map[Key]*entry{}, byDiscr: map[uint32]*entry{}, discards: map[string]uint64{},
	}
}

func (l *loop) run(m *Manager) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l.arm(timer)
		out, event := l.backlog.head(m.events)
		select {
		case <-m.stop:
			l.shutdown()
			return
		case <-timer.C:
		case <-l.port.ready():
		case <-m.hints:
			l.retryNow()
		case command := <-m.commands:
			command(l)
		case out <- event:
			l.backlog = l.backlog[1:]
		}
		l.turn(time.Now())
	}
}

// arm sets the timer for the next deadline of all sessions.
func (l *loop) arm(timer *time.Timer) {
	l.wake = time.Time{}
	for _, e := range l.sessions {
		l.wake = earliest(l.wake, earliest(e.deadline(), e.retryAt))
	}
	timer.Stop()
	if !l.wake.IsZero() {
		timer.Reset(time.Until(l.wake))
	}
}

// turn does everything that is due. It handles received packets before deadlines: a packet
// that waited in the socket while this process did not get to run proves that the peer is
// alive.
func (l *loop) turn(now time.Time) {
	if late := now.Sub(l.wake); !l.wake.IsZero() && late > timerSlack {
		l.lateness = max(l.lateness, late)
		for _, e := range l.sessions {
			e.step(starved{late}, now)
		}
	}
	l.port.receive(func(d datagram) { l.accept(d, now) })
	for key, e := range l.sessions {
		if passed(e.leaveAt, now) {
			l.drop(key, e)
			continue
		}
		if passed(e.retryAt, now) {
			l.open(e, now)
		}
		l.step(e, tick{}, now)
	}
	l.shield(now)
}

// step runs a session's state machine and carries out its effects.
func (l *loop) step(e *entry, event any, now time.Time) {
	effects := e.session.step(event, now)
	if effects.send != nil {
		l.send(e, effects.send, now)
	}
	if c := effects.change; c != nil {
		l.report(e, c, now)
	}
}

func (l *loop) report(e *entry, c *change, now time.Time) {
	l.log.Debug("BFD session changed", "session", e.wanted.Key.String(), "state", c.to.String(), "reason", c.reason)
	if c.from != Up && c.to != Up || c.to == AdminDown {
		return // it was never up, or this side has removed it
	}
	l.backlog.add(Event{
		Key: e.wanted.Key, State: c.to, Diag: e.diag, Reason: c.reason,
		Administrative: c.administrative, Extended: c.extended, At: now,
	})
}

// configure replaces the set of sessions.
func (l *loop) configure(wanted map[Key]Session) {
	now := time.Now()
	for key, e := range l.sessions {
		if _, ok := wanted[key]; !ok && e.leaveAt.IsZero() {
			l.leave(key, e, now)
		}
	}
	for key, w := range wanted {
		e, ok := l.sessions[key]
		if !ok {
			l.add(w, now)
			continue
		}
		moved := e.wanted.Device != w.Device
		l.step(e, reconfigured{w}, now)
		if moved {
			l.unlink(e, nil, now)
		}
		if !e.leaveAt.IsZero() {
			l.step(e, enabled{}, now)
		}
	}
}

func (l *loop) add(w Session, now time.Time) {
	discr := discriminator(func(d uint32) bool { return l.byDiscr[d] != nil })
	e := &entry{session: newSession(w, discr, rand.Float64, now), retryAt: now}
	e.auth.sent = rand.Uint32()
	l.sessions[w.Key], l.byDiscr[discr] = e, e
	l.open(e, now)
}

// leave ends a session. If the peer has been heard, it is sent AdminDown for a detection
// time first (RFC 5880 6.8.16).
func (l *loop) leave(key Key, e *entry, now time.Time) {
	l.backlog.forget(key)
	known := e.remote.discr != 0 && e.link != nil
	l.step(e, disabled{}, now)
	if !known {
		l.drop(key, e)
	}
}

func (l *loop) drop(key Key, e *entry) {
	if e.link != nil {
		e.link.close()
	}
	delete(l.sessions, key)
	delete(l.byDiscr, e.discr)
}

func (l *loop) shutdown() {
	now := time.Now()
	for key, e := range l.sessions {
		if e.leaveAt.IsZero() {
			l.leave(key, e, now)
		}
	}
	for key, e := range l.sessions {
		l.drop(key, e)
	}
	l.port.close()
}
