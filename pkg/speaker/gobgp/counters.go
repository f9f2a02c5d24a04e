package gobgp

import (
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// counters are the statistics of a neighbor over all of its sessions.
type counters struct {
	messagesIn, messagesOut atomic.Uint64
	updatesIn, updatesOut   atomic.Uint64
	established             atomic.Uint64
	unsendable              atomic.Uint64
	since                   atomic.Int64 // of the last change of state, Unix nanoseconds
}

func (c *counters) changed() { c.since.Store(time.Now().UnixNano()) }

func (c *counters) stats() speaker.Stats {
	s := speaker.Stats{
		MessagesIn:  c.messagesIn.Load(),
		MessagesOut: c.messagesOut.Load(),
		UpdatesIn:   c.updatesIn.Load(),
		UpdatesOut:  c.updatesOut.Load(),
		Unsendable:  c.unsendable.Load(),
		Established: c.established.Load(),
	}
	if ns := c.since.Load(); ns != 0 {
		s.Since = time.Unix(0, ns)
	}
	return s
}
