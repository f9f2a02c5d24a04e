package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Monitor follows the sessions and their Adj-RIBs-In, as a monitoring station of BMP does
// (RFC 7854). It is sent first what there is, and then each change, in order. Its methods do
// not block. If it can't take more, it ends, and begins again as another Monitor.
type Monitor interface {
	PeerUp(up speaker.Established, since time.Time)
	// PeerDown says that the session is over, and its routes with it.
	PeerDown(down speaker.Down, at time.Time)
	// Routes may keep the list, and does not change it.
	Routes([]rib.Heard)
	EndOfRIB(peer netip.Addr, family route.Family)
	// Room reports whether the Monitor wants more of what there is; changes do not wait for
	// that. Once it does, it calls [Engine.MonitorRoom].
	Room() bool
	Ended() bool
	// Octets is the memory of what the Monitor has not sent yet.
	Octets() int
	// End ends the Monitor.
	End(reason string)
}

// monitors are those that follow, and how far each has been sent what there was.
type monitors []*monitored

type monitored struct {
	Monitor
	walk *rib.AdjInWalk // under way; nil: none
	// The neighbors that the walk reads, and those that the next one will. The value says
	// whether End-of-RIB follows: not if the neighbor itself is about to send one.
	now, next map[netip.Addr]bool
}

// pathsPerStep is how much of the Adj-RIBs-In a Monitor is sent in a turn. It is a part of
// what the RIB does in one, so that decisions never wait for a Monitor.
const pathsPerStep = destinationsPerTurn / 4

// Monitor begins to send m what there is and what changes. It does not block.
func (e *Engine) Monitor(m Monitor) {
	e.inbox.put(func() { e.inbox.monitors = append(e.inbox.monitors, m) })
}

// MonitorRoom says that a Monitor has room again, or that it has ended. It does not block.
func (e *Engine) MonitorRoom() { e.inbox.poke() }

// addMonitor sends m the sessions that are up. Their routes follow by a walk.
func (e *Engine) addMonitor(m Monitor) {
	e.reportHeard() // to the others, before it is part of what there is
	e.rib.Monitor(true)
	it := &monitored{Monitor: m, next: map[netip.Addr]bool{}}
	for _, addr := range e.addresses() {
		if n := e.neighbors[addr]; n.up != nil {
			m.PeerUp(*n.up, n.since)
			it.next[addr] = true
		}
	}
	e.monitors = append(e.monitors, it)
}

// reportHeard passes on the changes of the Adj-RIBs-In. It is called before whatever ends
// or begins a session, so that everything is in order.
func (e *Engine) reportHeard() {
	if len(e.monitors) == 0 {
		return
	}
	heard := e.rib.TakeHeard()
	if len(heard) == 0 {
		return
	}
	for _, m := range e.monitors {
		m.Routes(heard)
	}
}

// walkMonitors goes on with the walks, and reports whether one can go on at once.
func (e *Engine) walkMonitors() (more bool) {
	if len(e.monitors) == 0 {
		return false
	}
	e.monitors = slices.DeleteFunc(e.monitors, func(m *monitored) bool { return m.Ended() })
	if len(e.monitors) == 0 {
		e.rib.Monitor(false)
		return false
	}
	for _, m := range e.monitors {
		if e.walkMonitor(m) {
			more = true
		}
	}
	return more
}

func (e *Engine) walkMonitor(m *monitored) (more bool) {
	if m.walk == nil {
		if len(m.next) == 0 {
			return false
		}
		m.now, m.next = m.next, map[netip.Addr]bool{}
		now := m.now
		m.walk = e.rib.WalkAdjIn(func(a netip.Addr) bool { _, reads := now[a]; return reads })
	}
	if !m.Room() {
		return false
	}
	heard, done := m.walk.Step(pathsPerStep, nil)
	if len(heard) > 0 {
		m.Routes(heard)
	}
	if !done {
		return true
	}
	for _, addr := range e.addresses() {
		if n := e.neighbors[addr]; m.now[addr] && n.up != nil {
			m.markEnd(addr, n.up.Families)
		}
	}
	m.walk, m.now = nil, nil
	return len(m.next) > 0
}

func (m *monitored) markEnd(addr netip.Addr, families route.Family) {
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		if families.Has(f) {
			m.EndOfRIB(addr, f)
		}
	}
}

// monitorUp reports a session that came up. If graceful restart kept routes of the neighbor,
// the monitors lost them with the last session, and a walk reads them once more.
func (e *Engine) monitorUp(n *neighbor, now time.Time) {
	for _, m := range e.monitors {
		m.PeerUp(*n.up, now)
		if e.rib.Counts(n.up.Peer).Stale > 0 {
			m.next[n.up.Peer] = false
		}
	}
}

// monitorDown reports the end of a session that was up.
func (e *Engine) monitorDown(down speaker.Down, now time.Time) {
	e.reportHeard()
	for _, m := range e.monitors {
		delete(m.now, down.Peer)
		delete(m.next, down.Peer)
		m.PeerDown(down, now)
	}
}

// monitorEnd passes on a neighbor's End-of-RIB.
func (e *Engine) monitorEnd(ev *speaker.EndOfRIB) {
	e.reportHeard()
	for _, m := range e.monitors {
		m.EndOfRIB(ev.Peer, ev.Family)
	}
}

// worthEnding is how many octets a Monitor must hold for its end to relieve the memory.
const worthEnding = 1 << 20

// endMonitors ends the monitors that hold much, and reports whether there were any. They
// begin again, and nothing is lost: a neighbor's session is worth more.
func (e *Engine) endMonitors() (ended bool) {
	for _, m := range e.monitors {
		if !m.Ended() && m.Octets() >= worthEnding {
			m.End("the memory budget is exceeded")
			ended = true
		}
	}
	return ended
}
