package bfd

import (
	"maps"
	"slices"
	"time"
)

// Snapshot is what a manager shows.
type Snapshot struct {
	Sessions []Status
	// Discards counts packets that no session has taken, by reason in words.
	Discards map[string]uint64
	// Lateness is the longest time that the loop ran later than it wanted to.
	Lateness time.Duration
}

// Status is one session for display.
type Status struct {
	Key                 Key
	State               State
	RemoteState         State
	Discriminator       uint32
	RemoteDiscriminator uint32 // 0: not heard
	// TxInterval is the negotiated interval of our packets before jitter; 0 while
	// none are sent. RxInterval is the peer's.
	TxInterval, RxInterval time.Duration
	DetectionTime          time.Duration // 0: not heard
	Multiplier             uint8
	RemoteMultiplier       uint8
	// Polling is set while a change of parameters awaits the peer's answer.
	Polling               bool
	PacketsIn, PacketsOut uint64
	Since                 time.Time // last change of state; up since, where State is Up
	Flaps                 uint64    // how often the session has left Up
	LastDown              string    // why it last went down, in words
	Error                 string    // why packets cannot be sent; empty if they can
	Authenticated         bool
	Refused               uint64 // packets between the session's addresses that it did not take
	LastRefused           string // why, the last time
}

// snapshot copies everything for display.
func (l *loop) snapshot() Snapshot {
	s := Snapshot{Discards: maps.Clone(l.discards), Lateness: l.lateness}
	for _, e := range l.sessions {
		s.Sessions = append(s.Sessions, e.status())
	}
	slices.SortFunc(s.Sessions, func(a, b Status) int {
		return a.Key.compare(b.Key)
	})
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
