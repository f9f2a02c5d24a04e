package gobgp

import (
	"sync/atomic"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// counters are the statistics of a neighbor over all of its sessions.
type counters struct {
	in, out     messageCounts
	established atomic.Uint64
	unsendable  atomic.Uint64
	malformed   malformedCounts
	since       atomic.Int64 // of the last change of state, Unix nanoseconds
}

// messageCounts are numbers of messages by their type on the wire.
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
	s := speaker.Stats{
		In:          c.in.messages(),
		Out:         c.out.messages(),
		Unsendable:  c.unsendable.Load(),
		Malformed:   c.malformed.counts(),
		Established: c.established.Load(),
	}
	if ns := c.since.Load(); ns != 0 {
		s.Since = time.Unix(0, ns)
	}
	return s
}

// malformedCounts count malformed UPDATEs.
type malformedCounts struct {
	byAction [speaker.Actions]atomic.Uint64
	byClass  [speaker.Classes]atomic.Uint64
}

// add counts an UPDATE, unless m is nil: nothing was wrong with it.
func (c *malformedCounts) add(m *speaker.Malformed) {
	if m != nil {
		c.byAction[m.Action].Add(1)
		c.byClass[m.Class].Add(1)
	}
}

func (c *malformedCounts) counts() (out speaker.MalformedCounts) {
	for i := range c.byAction {
		out.ByAction[i] = c.byAction[i].Load()
	}
	for i := range c.byClass {
		out.ByClass[i] = c.byClass[i].Load()
	}
	return out
}
