package gobgp

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// counters count for a neighbor, over all of its sessions.
type counters struct {
	in, out     messageCounts
	established atomic.Uint64
	unsendable  atomic.Uint64
	since       atomic.Int64 // of the last change of state, Unix nanoseconds
	mu          sync.Mutex   // guards malformed
	malformed   speaker.MalformedCounts
}

// messageCounts count messages by type.
type messageCounts [wire.Types]atomic.Uint64

func (c *messageCounts) messages() speaker.Messages {
	return speaker.Messages{
		Open: c[wire.TypeOpen].Load(), Update: c[wire.TypeUpdate].Load(),
		Notification: c[wire.TypeNotification].Load(), Keepalive: c[wire.TypeKeepalive].Load(),
		RouteRefresh: c[wire.TypeRouteRefresh].Load(),
	}
}

func (c *counters) changed() { c.since.Store(time.Now().UnixNano()) }

func (c *counters) stats() speaker.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := speaker.Stats{
		In:          c.in.messages(),
		Out:         c.out.messages(),
		Unsendable:  c.unsendable.Load(),
		Malformed:   c.malformed,
		Established: c.established.Load(),
	}
	if ns := c.since.Load(); ns != 0 {
		s.Since = time.Unix(0, ns)
	}
	return s
}

// addMalformed counts an UPDATE, unless m is nil.
func (c *counters) addMalformed(m *speaker.Malformed) {
	if m != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.malformed.ByAction[m.Action]++
		c.malformed.ByClass[m.Class]++
	}
}
