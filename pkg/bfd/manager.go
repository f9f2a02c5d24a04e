package bfd

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
)

// ErrClosed is returned by a manager that has been closed.
var ErrClosed = errors.New("bfd: closed")

// Options of a manager.
type Options struct {
	Log *slog.Logger // nil discards
}

// Manager runs sessions. Its methods may be called from any goroutine.
type Manager struct {
	commands chan func(*loop)
	hints    chan struct{}
	events   chan Event
	stop     chan struct{}
	done     chan struct{}
	close    sync.Once
}

// New starts a manager without sessions. It opens no socket before the first
// session is configured.
func New(o Options) *Manager { return start(o, newUDP()) }

func start(o Options, p port) *Manager {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{
		commands: make(chan func(*loop)),
		hints:    make(chan struct{}, 1),
		events:   make(chan Event),
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	l := newLoop(o.Log, p)
	go func() {
		defer close(m.done)
		defer close(m.events)
		l.run(m)
	}()
	return m
}

// Configure makes sessions the whole set of sessions. Those that are not named
// tell their peer AdminDown for a detection time and end without an [Event]; those
// that differ change by a Poll Sequence (RFC 5880 6.8.3) and stay up. An error
// leaves everything as it was: it names each session that is wrong or given twice,
// or is ErrClosed.
//
// A session whose local address or device does not exist, or whose port another
// process has, is no error: it is retried each second and on Hint, and its Status
// says why.
func (m *Manager) Configure(sessions []Session) error {
	wanted, err := normaliseAll(sessions)
	if err != nil {
		return err
	}
	if !m.do(func(l *loop) { l.configure(wanted) }) {
		return ErrClosed
	}
	return nil
}

// Events tells of sessions that come up or are no longer up. It is closed by Close.
//
// The queue behind it is bounded and never holds up a session: of a consumer that
// lags, each session keeps its last end and the start that follows it, no more.
// Status counts flaps, those that fell out included.
func (m *Manager) Events() <-chan Event { return m.events }

// Snapshot is the state of all sessions, sorted by key; empty after Close.
func (m *Manager) Snapshot() Snapshot {
	var s Snapshot
	m.do(func(l *loop) { s = l.snapshot() })
	return s
}

// Hint says that an address or a device may have come: sessions without a socket
// are tried at once. It does not block.
func (m *Manager) Hint() {
	select {
	case m.hints <- struct{}{}:
	default:
	}
}

// Close tells AdminDown to each peer that has been heard, once, and ends
// everything: peers do not take it for a failure (RFC 5882 3.2).
func (m *Manager) Close() {
	m.close.Do(func() { close(m.stop) })
	<-m.done
}

// do runs f on the loop and waits for it; false if the loop has ended.
func (m *Manager) do(f func(*loop)) bool {
	ran := make(chan struct{})
	select {
	case m.commands <- func(l *loop) { f(l); close(ran) }:
		<-ran
		return true
	case <-m.done:
		return false
	}
}

// discriminator is random so that it can neither be guessed nor meant for an
// earlier run of this process (RFC 5880 6.8.1).
func discriminator(taken func(uint32) bool) uint32 {
	for {
		var b [4]byte
		rand.Read(b[:])
		if d := binary.NativeEndian.Uint32(b[:]); d != 0 && !taken(d) {
			return d
		}
	}
}
