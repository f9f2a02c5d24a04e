package gobgp

import (
	"context"
	"maps"
	"slices"

	"github.com/nvad/nvad/pkg/speaker"
)

// CloseOptions say how to part from the neighbors.
type CloseOptions struct {
	// Graceful closes the TCP connections of neighbors with which graceful
	// restart was negotiated without a NOTIFICATION, so that they keep our
	// routes (RFC 4724 4.1).
	Graceful bool
	// Message goes to all other neighbors with Cease/Administrative Shutdown
	// (RFC 9003). It may be empty.
	Message string
}

// Close ends all sessions and the Speaker, and closes the queue of events. It
// returns early, with the context's error, if ctx ends first; what is left ends
// in the background.
func (s *Speaker) Close(ctx context.Context, o CloseOptions) error {
	s.sockets.mu.Lock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.sockets.mu.Unlock()
		return nil
	}
	s.closed = true
	s.sockets.wanted = nil
	for _, l := range s.sockets.open {
		l.Close()
	}
	s.sockets.mu.Unlock()
	n := speaker.Cease(speaker.CeaseShutdown)
	n.Message = o.Message
	peers := slices.Collect(maps.Values(s.peers))
	for _, p := range peers {
		p.stop <- farewellOrder{notification: n, graceful: o.Graceful}
	}
	peers = slices.AppendSeq(peers, maps.Values(s.leaving))
	clear(s.peers)
	s.mu.Unlock()
	s.cancel() // dials, and Down events nobody reads

	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for _, p := range peers {
			<-p.done
		}
		s.engine.stop()
		s.background.Wait()
		close(s.events)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
