package router

import (
	"net/netip"
	"time"
)

// settleTime is how long a neighbor has to be silent before what it sent
// counts as current rather than as incoming.
const settleTime = time.Second

// counter counts the routes of one neighbor as Route Server documents it:
// those it has already plus those that are coming in, so a route that is sent
// again counts twice. 2,001 routes sent again break a limit of 4,000, and
// since no single UPDATE carries so many, everything up to the next silence is
// taken as coming in.
type counter struct {
	limit    int
	once     bool // what is sent again does not count again
	current  map[netip.Prefix]bool
	settled  int
	incoming int
	last     time.Time
}

func newCounter(n Neighbor) counter { return counter{limit: n.Limit, once: n.CountOnce} }

// add accounts for one UPDATE and reports whether the limit is exceeded.
func (c *counter) add(announced, withdrawn []netip.Prefix, now time.Time) bool {
	if c.current == nil {
		c.current = map[netip.Prefix]bool{}
	}
	if now.Sub(c.last) > settleTime {
		c.settled, c.incoming = len(c.current), 0
	}
	c.last = now
	for _, p := range withdrawn {
		if c.current[p] {
			delete(c.current, p)
			c.settled = min(c.settled, len(c.current))
		}
	}
	for _, p := range announced {
		c.current[p] = true
	}
	c.incoming += len(announced)
	if c.once {
		return c.limit > 0 && len(c.current) > c.limit
	}
	return c.limit > 0 && c.settled+c.incoming > c.limit
}
