package gobgp

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// strangers limits what is logged of connections from unknown addresses: an
// eager one would fill the log.
type strangers struct {
	mu    sync.Mutex
	last  time.Time
	count int
}

const strangerInterval = 10 * time.Second

func (s *strangers) warn(log *slog.Logger, addr netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if time.Since(s.last) < strangerInterval {
		return
	}
	log.Warn("connection refused", keyNeighbor, addr.String(), keyReason, "no such neighbor at this address", "count", s.count)
	s.last, s.count = time.Now(), 0
}
