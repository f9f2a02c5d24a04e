package bmp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Station says where a monitoring station is, and what it is sent. It is comparable: if it
// is equal before and after a reload, the connection stays.
type Station struct {
	Address    netip.AddrPort
	Local      netip.Addr // of the connection; invalid: the one that the kernel's route selects
	Policy     Policy
	Statistics time.Duration // between Statistics Reports; 0: none
}

// Status is the state of a station. The counts are those since it was configured.
type Status struct {
	Station
	Connected   bool
	Since       time.Time // of Connected
	Reason      string    // why it is not connected
	Connections uint64
	Overflows   uint64 // connections ended because the station read too slowly
	Messages    uint64
	Octets      uint64 // sent
	Waiting     int    // octets of memory that wait for the station
}

// Times of a station.
const (
	dialTime    = 10 * time.Second
	firstWait   = time.Second // before the next attempt; it doubles up to longestWait
	longestWait = 30 * time.Second
	calmTime    = time.Minute // after a connection that lasted so long, firstWait counts again
)

// errStopped ends a connection that the configuration has no use for any more.
var errStopped = errors.New("stopped")

// station keeps one connection open. All of its state but status belongs to the goroutine of
// run.
type station struct {
	Station
	opt Options
	log *slog.Logger

	mu     sync.Mutex
	status Status
	feed   *Feed // of the current connection; nil: there is none
}

func newStation(c Station, opt Options) *station {
	return &station{
		Station: c, opt: opt, log: opt.Log.With("object", "bmp "+c.Address.String()),
		status: Status{Station: c, Since: time.Now(), Reason: "connecting"},
	}
}

// read returns the status.
func (s *station) read() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.status
	if s.feed != nil {
		out.Waiting = s.feed.Octets()
	}
	return out
}

// change changes the status.
func (s *station) change(f func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.status)
}

// run connects again and again until ctx ends.
func (s *station) run(ctx context.Context) {
	for wait := s.opt.firstWait; ; wait = min(2*wait, longestWait) {
		began := time.Now()
		s.lost(s.connect(ctx))
		if time.Since(began) >= calmTime {
			wait = s.opt.firstWait
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// lost records why there is no connection.
func (s *station) lost(err error) {
	if errors.Is(err, errStopped) || errors.Is(err, context.Canceled) {
		return
	}
	s.change(func(st *Status) {
		if st.Connected {
			st.Connected, st.Since = false, time.Now()
			s.log.Warn("monitoring station lost, nvad connects again", "reason", err)
		} else if st.Reason != err.Error() {
			s.log.Info("monitoring station not reached, nvad keeps trying", "reason", err)
		}
		st.Reason = err.Error()
	})
}

// connect opens a connection and serves it, and returns why it is over.
func (s *station) connect(ctx context.Context) error {
	d := net.Dialer{
		Timeout:         dialTime,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3},
	}
	if s.Local.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: s.Local.AsSlice()}
	}
	conn, err := d.DialContext(ctx, "tcp", s.Address.String())
	if err != nil {
		return plain(err)
	}
	s.log.Info("monitoring station connected", "local", conn.LocalAddr())
	s.change(func(st *Status) {
		st.Connected, st.Since, st.Reason = true, time.Now(), ""
		st.Connections++
	})
	return newConnection(s, conn).serve(ctx)
}

// plain returns err without the addresses and the system call that Go puts in front of it.
func plain(err error) error {
	var errno syscall.Errno
	var op *net.OpError
	switch {
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &op) && op.Timeout():
		return errors.New("timed out")
	}
	return err
}
