package bmp

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Options connects Stations to the rest of nvad.
type Options struct {
	Name        string // of this machine, sent as sysName
	Description string // of nvad, sent as sysDescr
	Log         *slog.Logger
	// Begin has the engine fill a Feed, and Room wakes it when one has room again, or has
	// ended. Neither blocks.
	Begin func(*Feed)
	Room  func()
	// Statistics returns what is counted of each neighbor. It may wait for the engine.
	Statistics func(context.Context) []Statistics

	// Set by tests only; 0 stands for firstWait and FeedOctets.
	firstWait time.Duration
	most      int
}

// Stations keeps the connections to all stations.
type Stations struct {
	opt Options

	mu      sync.Mutex
	running []running
	ended   bool // nothing is started any more
	done    sync.WaitGroup
}

type running struct {
	*station
	stop context.CancelFunc
}

// New returns Stations without a station.
func New(opt Options) *Stations {
	if opt.firstWait == 0 {
		opt.firstWait = firstWait
	}
	if opt.most == 0 {
		opt.most = FeedOctets
	}
	return &Stations{opt: opt}
}

// Configure replaces the stations. The connections to those that stay as they are stay. It
// does not wait for those that end.
func (s *Stations) Configure(list []Station) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	before := s.running
	s.running = nil
	for _, c := range list {
		if i := slices.IndexFunc(before, func(r running) bool { return r.Station == c }); i >= 0 {
			s.running = append(s.running, before[i])
			before = slices.Delete(slices.Clone(before), i, i+1)
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		r := running{newStation(c, s.opt), stop}
		s.running = append(s.running, r)
		s.done.Go(func() { r.run(ctx) })
	}
	for _, r := range before {
		r.stop()
	}
}

// Run ends the connections when ctx ends, and waits for that. It returns nil.
func (s *Stations) Run(ctx context.Context) error {
	<-ctx.Done()
	s.Configure(nil)
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.done.Wait()
	return nil
}

// Status returns the state of each station, in the order of the configuration.
func (s *Stations) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, len(s.running))
	for i, r := range s.running {
		out[i] = r.read()
	}
	return out
}
