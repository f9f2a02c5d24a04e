package bfd

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrClosed says that the manager has been closed.
var ErrClosed = errors.New("bfd: closed")

// Manager runs sessions. Its methods may be called from any goroutine.
type Manager struct {
	commands chan func(*loop)
	hints    chan struct{}
	events   chan Event
	stop     chan struct{}
	done     chan struct{}
	close    sync.Once
}

// New starts a manager without sessions. It opens no socket until the first session is
// configured.
func New(log *slog.Logger) *Manager { return start(log, newUDP()) }

func start(log *slog.Logger, p port) *Manager {
	m := &Manager{
		commands: make(chan func(*loop)),
		hints:    make(chan struct{}, 1),
		events:   make(chan Event),
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	l := newLoop(log, p)
	go func() {
		defer close(m.done)
		defer close(m.events)
		l.run(m)
	}()
	return m
}

// Configure replaces the set of sessions. A removed session sends AdminDown to its peer for
// a detection time and ends without an [Event]; a changed one changes by a Poll Sequence
// (RFC 5880 6.8.3) and stays up. An error leaves everything as it was: it names each
// session that is wrong or given twice, or is ErrClosed.
//
// A session whose local address or device does not exist, or whose port another process
// has, is no error: it is retried every second and on Hint, and its Status says why.
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

// Events reports sessions that come up or go down. Close closes it.
//
// A slow consumer never holds up a session: for each session, the queue keeps only the last
// Down and the Up after it. Status counts all flaps, also those that the queue has dropped.
func (m *Manager) Events() <-chan Event { return m.events }

// Snapshot returns the state of all sessions, sorted by key. It is empty after Close.
func (m *Manager) Snapshot() Snapshot {
	var s Snapshot
	m.do(func(l *loop) { s = l.snapshot() })
	return s
}

// Hint retries all sessions without a socket at once, because an address or a device may
// have appeared. It does not block.
func (m *Manager) Hint() {
	select {
	case m.hints <- struct{}{}:
	default:
	}
}

// Close sends AdminDown once to each peer that has been heard, so that the peers do not take
// the end for a failure (RFC 5882 3.2), and ends all sessions.
func (m *Manager) Close() {
	m.close.Do(func() { close(m.stop) })
	<-m.done
}

// do runs f on the loop and waits for it. It returns false if the loop has ended.
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

// discriminator returns a random discriminator, so that nobody can guess it, and so that
// packets for an earlier run of this process do not fit (RFC 5880 6.8.1).
func discriminator(taken func(uint32) bool) uint32 {
	for {
		var b [4]byte
		rand.Read(b[:])
		if d := binary.NativeEndian.Uint32(b[:]); d != 0 && !taken(d) {
			return d
		}
	}
}

// Event reports that a session has come up or gone down.
type Event struct {
	Key   Key
	State State // Up or Down
	Diag  Diag
	// Reason says why in words: "nothing received for 900ms".
	Reason string
	// Administrative is set if the peer has taken the session down on purpose: the path
	// may be fine, so clients should not act on it (RFC 5882 3.2).
	Administrative bool
	// Extended is how long after its detection time the session was declared down, because
	// this process did not get to run.
	Extended time.Duration
	At       time.Time
}

// backlog holds events that the consumer has not taken yet, at most two for each session:
// a Down and the Up after it.
type backlog []Event

// add appends an event. A Down replaces all queued events of its session.
func (b *backlog) add(e Event) {
	if e.State != Up {
		b.forget(e.Key)
	}
	*b = append(*b, e)
}

// forget removes the events of a session.
func (b *backlog) forget(k Key) {
	*b = slices.DeleteFunc(*b, func(e Event) bool { return e.Key == k })
}

// head returns the first event, and the channel to send it to. If there is none, the
// channel is nil, which a select never chooses.
func (b backlog) head(to chan Event) (chan<- Event, Event) {
	if len(b) == 0 {
		return nil, Event{}
	}
	return to, b[0]
}

// Snapshot is the state of a manager, for display.
type Snapshot struct {
	Sessions []Status
	// Discards counts packets that no session has accepted, by reason in words.
	Discards map[string]uint64
	// Lateness is the longest delay between a deadline and the moment the loop ran.
	Lateness time.Duration
}

// Status is the state of one session, for display.
type Status struct {
	Key                 Key
	State               State
	RemoteState         State
	Discriminator       uint32
	RemoteDiscriminator uint32 // 0: not heard
	// TxInterval is the negotiated interval of nvad's packets before jitter; 0 while
	// none are sent. RxInterval is that of the peer's packets.
	TxInterval, RxInterval time.Duration
	DetectionTime          time.Duration // 0: not heard
	Multiplier             uint8
	RemoteMultiplier       uint8
	// Polling is set while a change of parameters awaits the peer's answer.
	Polling               bool
	PacketsIn, PacketsOut uint64
	Since                 time.Time // last change of state
	Flaps                 uint64    // how often the session has left Up
	LastDown              string    // why it last went down, in words
	Error                 string    // why packets can't be sent; empty if they can
	Authenticated         bool
	Refused               uint64 // packets between the session's addresses that it did not accept
	LastRefused           string // why, the last time
}

func (l *loop) snapshot() Snapshot {
	s := Snapshot{Discards: maps.Clone(l.discards), Lateness: l.lateness}
	for _, e := range l.sessions {
		s.Sessions = append(s.Sessions, e.status())
	}
	slices.SortFunc(s.Sessions, func(a, b Status) int { return a.Key.compare(b.Key) })
	return s
}

func (e *entry) status() Status {
	s := Status{
		Key: e.wanted.Key, State: e.state, RemoteState: e.remote.state,
		Discriminator: e.discr, RemoteDiscriminator: e.remote.discr,
		TxInterval: e.interval, DetectionTime: e.detectionTime(),
		Multiplier: e.wanted.Multiplier, RemoteMultiplier: e.remote.multiplier, Polling: e.poll.running,
		PacketsIn: e.packets.in, PacketsOut: e.packets.out,
		Since: e.since, Flaps: e.flaps, LastDown: e.lastDown,
		Authenticated: len(e.wanted.Keys) > 0, Refused: e.refused.count, LastRefused: e.refused.last,
	}
	if e.remote.discr != 0 {
		s.RxInterval = e.rxInterval()
	}
	if e.err != nil {
		s.Error = e.err.Error()
	}
	return s
}
