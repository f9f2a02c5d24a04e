package engine

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/route"
)

// requestSpacing is the pause between two ROUTE-REFRESH messages to one neighbor for
// one family. The answer is all that the neighbor has. Where it announces more than
// fits, and withdraws now and then, each withdrawal makes room for another request.
const requestSpacing = time.Minute

// requestDropped asks neighbors by ROUTE-REFRESH (RFC 2918) for what maximum-prefix
// had dropped, once there is room for it.
func (e *Engine) requestDropped(now time.Time) {
	for addr, n := range e.neighbors {
		if e.lossOf(addr, n) != lossPending {
			continue
		}
		count, missing := e.rib.Dropped(addr)
		var due route.Family
		for i, f := range [...]route.Family{route.IPv4, route.IPv6} {
			if missing.Has(f) && !now.Before(n.nextRequest[i]) {
				due |= f
				n.nextRequest[i] = now.Add(requestSpacing)
			}
		}
		if due == 0 {
			continue
		}
		e.log.Info("maximum-prefix has room again, routes are requested by ROUTE-REFRESH",
			"neighbor", addr, "families", due, "dropped", count)
		e.opt.Speaker.RequestRefresh(addr, n.up.Session, due)
		e.rib.Requested(addr, due)
	}
}

// loss is what maximum-prefix has dropped of a neighbor's announcements.
type loss uint8

const (
	lossNone    loss = iota
	lossOver         // there is no room for them
	lossPending      // there is room, and the neighbor is asked for them when it may be
	lossUnasked      // there is room, but the neighbor can't be asked for them
)

// lossOf costs nothing while nothing was dropped.
func (e *Engine) lossOf(addr netip.Addr, n *neighbor) loss {
	_, missing := e.rib.Dropped(addr)
	switch {
	case missing == 0 || n.up == nil:
		return lossNone
	case !e.rib.Fits(addr):
		return lossOver
	case !n.up.RouteRefresh:
		return lossUnasked
	}
	return lossPending
}
