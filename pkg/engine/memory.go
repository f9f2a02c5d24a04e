package engine

import (
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// Memory measures and frees the memory of the process. Its methods do not block.
type Memory interface {
	// InUse returns the octets that the last garbage collection found in use, plus what
	// the runtime itself needs.
	InUse() uint64
	// Budget returns how many octets may be in use; 0: any number.
	Budget() uint64
	// Reclaim collects garbage and returns free memory to the system. The channel is
	// closed when that is done.
	Reclaim() <-chan struct{}
}

// Times of the memory budget.
const (
	// memoryInterval is the time between two looks. It is too short for even an attacker
	// to fill the tenth of the limit that the budget leaves to the collector.
	memoryInterval = 100 * time.Millisecond
	// departure bounds how long the engine waits for the routes of a closed neighbor to
	// go before it reclaims memory all the same.
	departure = 5 * time.Second
	// firstHold is how long a neighbor stays closed. The time doubles with each closing
	// that follows within calmHold, up to longestHold.
	firstHold   = time.Minute
	longestHold = time.Hour
	calmHold    = 2 * time.Hour
)

// leastHeld is the part of the budget, as 1/n, that a neighbor must hold for its
// closing to help.
const leastHeld = 64

// attributed is the part of the memory in use, as 1/n, that all neighbors together
// must hold. If they hold less, something else has filled the memory, and closing
// neighbors would do damage without relief.
const attributed = 4

// memoryGuard keeps the process within its memory budget. When the budget is exceeded,
// it closes the neighbor that holds most, before the kernel kills the process and with
// it every session. It closes one neighbor at a time, and reclaims the memory before
// it closes another.
type memoryGuard struct {
	looked     time.Time
	leaving    netip.Addr // neighbor closed last; invalid: none
	until      time.Time  // latest time to reclaim its memory; zero: nothing to reclaim
	reclaiming <-chan struct{}
	helpless   bool // logged that the budget is exceeded, but not by neighbors
	closings   uint64
	// last has the last closing of each neighbor, also of a dynamic one that has vanished
	// meanwhile. Otherwise it would return after the shortest time again and again.
	last map[netip.Addr]closing
}

// closing says when a neighbor was closed, and for how long.
type closing struct {
	at   time.Time
	hold time.Duration
}

// close records a closing, and returns how long it lasts.
func (g *memoryGuard) close(addr netip.Addr, now time.Time) time.Duration {
	if g.last == nil {
		g.last = map[netip.Addr]closing{}
	}
	maps.DeleteFunc(g.last, func(_ netip.Addr, c closing) bool { return now.Sub(c.at) > calmHold })
	hold := min(max(firstHold, 2*g.last[addr].hold), longestHold)
	g.last[addr] = closing{now, hold}
	return hold
}

// busy reports whether the guard waits for something, so that the engine needs ticks.
func (g *memoryGuard) busy() bool { return !g.until.IsZero() || g.reclaiming != nil }

// checkMemory enforces the budget. Busy says that the RIB has more to decide.
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

// relieve ends the monitors that hold much or, if there are none, closes the neighbor that
// holds most, if that helps.
func (e *Engine) relieve(inUse, budget uint64, now time.Time) {
	if e.endMonitors() {
		e.memory.reclaiming = e.opt.Memory.Reclaim()
		return
	}
	addr, most, all := e.heaviest()
	if n := e.neighbors[addr]; n != nil && most >= budget/leastHeld && all >= inUse/attributed {
		hold := e.holdOverMemory(addr, n, most, now)
		e.log.Error("memory budget exceeded, the neighbor that holds most is closed", "neighbor", addr,
			"octets", most, "in_use", inUse, "budget", budget, "restart", hold)
		return
	}
	if !e.memory.helpless {
		e.memory.helpless = true
		e.log.Error("memory budget exceeded, but not by what neighbors hold", "octets", all, "in_use", inUse, "budget", budget)
	}
}

// heaviest returns the neighbor that holds most, how much it holds, and how much all
// neighbors hold, including the attribute sets made to advertise its routes to the
// others. A neighbor that is shut down is not chosen: its memory is about to be freed.
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

// views counts in how many different ways, at least, one attribute set is advertised.
// Each way needs another set in memory. With 20 tunnels, each with its own address as
// next hop, a neighbor's sets cost 20 times the memory that it holds itself.
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
	return max(0, len(seen)-1) // a neighbor is hardly ever sent its own routes
}

// octets estimates the memory that a neighbor holds: its routes and its session.
func (e *Engine) octets(addr netip.Addr, stats *speaker.Stats) uint64 {
	return uint64(e.rib.Octets(addr) + stats.Octets)
}

// holdOverMemory ends a session with Cease/Out of Resources (RFC 4486) and keeps it
// down, longer each time: the neighbor will announce the same routes again. It returns for
// how long.
func (e *Engine) holdOverMemory(addr netip.Addr, n *neighbor, held uint64, now time.Time) time.Duration {
	hold := e.memory.close(addr, now)
	n.release()
	n.held = fmt.Sprintf("memory budget exceeded; it held most, %s", mebibytes(held))
	n.heldUntil = now.Add(hold)
	n.memoryClosings++
	e.memory.closings++
	if n.up != nil {
		e.opt.Speaker.Reset(addr, n.up.Session, speaker.Notification{Code: speaker.CodeCease, Subcode: speaker.CeaseOutOfResources})
	}
	e.configureSpeaker()
	e.reclaimAfter(addr, now)
	return hold
}

// reclaimAfter reclaims memory once the routes of addr are gone.
func (e *Engine) reclaimAfter(addr netip.Addr, now time.Time) {
	e.memory.leaving, e.memory.until = addr, now.Add(departure)
}

// worthReclaiming is how many octets a session must free for memory to be reclaimed at
// once. Smaller amounts are left to the garbage collector.
const worthReclaiming = 4 << 20

func mebibytes(octets uint64) string { return fmt.Sprintf("%.1f MiB", float64(octets)/(1<<20)) }

func (e *Engine) memoryStatus() MemoryStatus {
	v := MemoryStatus{Closings: e.memory.closings}
	if m := e.opt.Memory; m != nil {
		v.InUse, v.Budget = m.InUse(), m.Budget()
	}
	return v
}
