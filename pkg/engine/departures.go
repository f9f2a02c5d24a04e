package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/watch"
)

// departures keeps the gateways of lost sessions out of the forwarding plane until
// the best paths are decided anew. The forwarding plane swaps whole next-hop groups
// in one message, while deciding and writing a large table takes longer.
type departures struct {
	forwarding Forwarding
	gateways   []netip.Addr
	since      time.Time // when waits were counted first
	waits      int       // within a second
}

// deadSessions names the engine as a source of dead gateways.
const deadSessions = "sessions"

// divertTime bounds how long the engine waits for a swap: that of some thousand
// routes that the forwarding plane may be writing.
const divertTime = 50 * time.Millisecond

// mostDiverts bounds how many swaps the engine waits for in a second. If a link
// fails, hundreds of sessions may go at once, and the engine must still answer.
const mostDiverts = 4

// add takes a gateway out of the forwarding plane and waits for that. If it did not
// wait, the walk of a large table that follows would occupy one processor and the
// garbage collector the other, and the swap would come too late.
func (d *departures) add(gateway netip.Addr) {
	d.gateways = append(d.gateways, gateway)
	diverted := d.forwarding.SetDead(deadSessions, d.gateways)
	if !d.mayWait(time.Now()) {
		return
	}
	timeout := time.NewTimer(divertTime)
	defer timeout.Stop()
	select {
	case <-diverted:
	case <-timeout.C:
	}
}

func (d *departures) mayWait(now time.Time) bool {
	if now.Sub(d.since) >= time.Second {
		d.since, d.waits = now, 0
	}
	d.waits++
	return d.waits <= mostDiverts
}

// remove puts a gateway back, once the best paths have followed or the neighbor has
// returned.
func (d *departures) remove(gateway netip.Addr) {
	if i := slices.Index(d.gateways, gateway); i >= 0 {
		d.gateways = slices.Concat(d.gateways[:i], d.gateways[i+1:])
		d.forwarding.SetDead(deadSessions, d.gateways)
	}
}

// clear puts all gateways back: nothing waits for a decision.
func (d *departures) clear() {
	if len(d.gateways) > 0 {
		d.gateways = nil
		d.forwarding.SetDead(deadSessions, nil)
	}
}

// depart takes the gateway of a neighbor whose session is lost out of the forwarding plane.
// It does not publish that of a dynamic neighbor, because the engine forgets those and
// could not publish their return.
func (e *Engine) depart(addr netip.Addr, n *neighbor, now time.Time) {
	e.departures.add(addr)
	if !n.departed && !n.dynamic() {
		n.departed = true
		e.publishNextHop(addr, false, n.reason, now)
	}
}

// publishReturn publishes that a neighbor is back as a next hop, if it had died with its
// session. Until then it counts as dead, even after the best paths have followed.
func (e *Engine) publishReturn(n *neighbor, reason string, now time.Time) {
	if n.departed {
		n.departed = false
		e.publishNextHop(n.cfg.Address, true, reason, now)
	}
}

func (e *Engine) publishNextHop(addr netip.Addr, alive bool, reason string, now time.Time) {
	e.opt.Watch.Publish(watch.Event{At: now, Change: watch.NextHop{Address: addr, Alive: alive, By: "session", Reason: reason}})
}

// follow puts a neighbor's gateway back once the best paths have followed its loss.
// Routes of other neighbors may use the same gateway, and if those keep changing,
// the RIB is never idle: so follow does not wait for departures.clear.
func (e *Engine) follow(addr netip.Addr, n *neighbor) {
	lost := n.lastDown
	e.rib.Settled(func() {
		// Meanwhile the neighbor may have returned and gone again.
		if n.lastDown.Equal(lost) {
			e.publish()
			e.departures.remove(addr)
		}
	})
}
