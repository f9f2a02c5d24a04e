package engine

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// Memory is the memory of the process, as the engine needs it. Its methods do not
// block.
type Memory interface {
	// InUse is how many octets the last collection found in use, and what the
	// runtime needs beside them.
	InUse() uint64
	// Budget is how many octets may be in use; 0: any number.
	Budget() uint64
	// Reclaim collects garbage and gives free memory back to the system. What it
	// returns is closed when that is done.
	Reclaim() <-chan struct{}
}

// Times of the memory budget.
const (
	// memoryInterval is between two looks: in less, not even an attacker fills the
	// tenth that a budget leaves to the collector.
	memoryInterval = 100 * time.Millisecond
	// departure bounds how long the routes of a neighbor that was closed may take
	// to go before memory is reclaimed nevertheless, and looked at again.
	departure = 5 * time.Second
	// firstHold is how long a neighbor stays closed. It doubles with each time that
	// follows within calmHold, up to longestHold.
	firstHold   = time.Minute
	longestHold = time.Hour
	calmHold    = 2 * time.Hour
)

// leastHeld is the part of the budget, as 1/n, that a neighbor must hold for its
// end to be of use.
const leastHeld = 64

// attributed is the part of the memory in use, as 1/n, that neighbors must hold
// together. Below it something else has filled the memory, and to close neighbors
// would do damage without relief.
const attributed = 4

// memoryGuard keeps the process within its budget of memory: past it, the neighbor
// that holds most is closed, before the kernel ends the process and with it every
// session. One is closed at a time, and what it held is reclaimed before the next.
type memoryGuard struct {
	looked     time.Time
	leaving    netip.Addr // closed last; invalid: nobody
	until      time.Time  // reclaims by then at the latest; zero: there is nothing to reclaim
	reclaiming <-chan struct{}
	helpless   bool // past the budget, and no neighbor to blame: logged
	closings   uint64
}

// busy reports whether the guard waits for something, so that the engine must not
// sleep.
func (g *memoryGuard) busy() bool { return !g.until.IsZero() || g.reclaiming != nil }

// MemoryLow has the engine look at its budget, also where nothing else happens.
func (e *Engine) MemoryLow() { e.poke() }

// checkMemory holds to the budget. busy says that routes wait to be decided about.
func (e *Engine) checkMemory(now time.Time, busy bool) {
	m, g := e.opt.Memory, &e.memory
	if m == nil {
		return
	}
	if g.reclaiming != nil {
		select {
		case <-g.reclaiming:
			g.reclaiming = nil
		default:
			return
		}
	}
	if !g.until.IsZero() {
		if (busy || e.rib.Octets(g.leaving) > 0) && now.Before(g.until) {
			return
		}
		g.leaving, g.until = netip.Addr{}, time.Time{}
		e.rib.Tidy()
		g.reclaiming = m.Reclaim()
		return
	}
	if now.Sub(g.looked) < memoryInterval {
		return
	}
	g.looked = now
	inUse, budget := m.InUse(), m.Budget()
	if budget == 0 || inUse <= budget {
		g.helpless = false
		return
	}
	e.relieve(inUse, budget, now)
}

// relieve closes the neighbor that holds most.
func (e *Engine) relieve(inUse, budget uint64, now time.Time) {
	addr, most, all := e.heaviest()
	if n := e.neighbors[addr]; n != nil && most >= budget/leastHeld && all >= inUse/attributed {
		e.holdOverMemory(addr, n, most, now)
		e.log.Error("memory budget exceeded, the neighbor that holds most is closed", "neighbor", addr,
			"octets", most, "in_use", inUse, "budget", budget, "restart", n.memoryHold)
		return
	}
	if !e.memory.helpless {
		e.memory.helpless = true
		e.log.Error("memory budget exceeded, but not by what neighbors hold", "octets", all, "in_use", inUse, "budget", budget)
	}
}

// heaviest is the neighbor that holds most, and how much it and all neighbors hold,
// with what the others are told of its routes. One that is shut down already does not
// count: what it holds is about to go.
func (e *Engine) heaviest() (addr netip.Addr, most, all uint64) {
	views := e.views()
	for a, n := range e.neighbors {
		stats, _ := e.opt.Speaker.Stats(a)
		held := e.octets(a, &stats) + uint64(e.rib.SetOctets(a)*views)
		all += held
		if !n.isShutdown() && (held > most || held == most && a.Less(addr)) {
			addr, most = a, held
		}
	}
	return addr, most, all
}

// views is in how many ways, at least, neighbors are told of one attribute set: each
// way is a set more in memory. With 20 tunnels, each with an own address as next hop,
// a neighbor's sets cost 20 times what it holds itself.
func (e *Engine) views() int {
	type view struct {
		nextHop  netip.Addr
		localASN uint32
	}
	seen := map[view]bool{}
	for _, n := range e.neighbors {
		if n.up != nil {
			seen[view{n.up.LocalAddress, n.cfg.LocalASN}] = true
		}
	}
	return max(0, len(seen)-1) // its own is as good as never among them
}

// octets estimates the memory that a neighbor holds: its routes, and what its
// session keeps.
func (e *Engine) octets(addr netip.Addr, stats *speaker.Stats) uint64 {
	return uint64(e.rib.Octets(addr) + stats.Octets)
}

// holdOverMemory ends a session with Cease/Out of Resources (RFC 4486) and keeps it
// down, each time for longer: what it brought once it will bring again.
func (e *Engine) holdOverMemory(addr netip.Addr, n *neighbor, held uint64, now time.Time) {
	if n.memoryHold *= 2; n.memoryHold == 0 || now.Sub(n.memoryClosed) > calmHold {
		n.memoryHold = firstHold
	}
	n.memoryHold = min(n.memoryHold, longestHold)
	n.release()
	n.held = fmt.Sprintf("memory budget exceeded; it held most, %s", mebibytes(held))
	n.heldUntil, n.memoryClosed = now.Add(n.memoryHold), now
	n.memoryClosings++
	e.memory.closings++
	if n.up != nil {
		e.opt.Speaker.Reset(addr, n.up.Session, speaker.Notification{Code: cease, Subcode: ceaseOutOfResources})
	}
	e.configureSpeaker()
	e.reclaimAfter(addr, now)
}

// reclaimAfter has memory reclaimed once the routes of addr are gone.
func (e *Engine) reclaimAfter(addr netip.Addr, now time.Time) {
	e.memory.leaving, e.memory.until = addr, now.Add(departure)
}

// worthReclaiming is how many octets must go with a session for memory to be
// reclaimed. The collector would find them in its own time.
const worthReclaiming = 4 << 20

func mebibytes(octets uint64) string { return fmt.Sprintf("%.1f MiB", float64(octets)/(1<<20)) }

func (e *Engine) memoryStatus() MemoryStatus {
	v := MemoryStatus{Closings: e.memory.closings}
	if m := e.opt.Memory; m != nil {
		v.InUse, v.Budget = m.InUse(), m.Budget()
	}
	return v
}
