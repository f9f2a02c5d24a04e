package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/watch"
)

// Times after which the engine assumes that a neighbor has announced all its routes.
// Azure Route Server sends no End-of-RIB, so that silence has to do.
const (
	quietTime    = 3 * time.Second
	longestTable = 60 * time.Second
)

// syncGate says whether the engine has heard from all neighbors, and from the kernel,
// without whose links no next hop resolves. Until then nothing that an earlier run
// left in the kernel is deleted.
type syncGate struct {
	heard   bool // from everybody; the RIB is still deciding
	reached bool
}

// needsTicks reports whether something waits for time to pass. At rest nothing does,
// and the engine sleeps.
func (e *Engine) needsTicks() bool {
	if !e.sync.reached || e.memory.busy() || e.outcome.pending() {
		return true
	}
	for addr, n := range e.neighbors {
		if !n.staleUntil.IsZero() || !n.heldUntil.IsZero() || n.refresh.asked != 0 || e.lossOf(addr, n) == lossPending {
			return true
		}
	}
	return false
}

func (e *Engine) tick(now time.Time) {
	for addr, n := range e.neighbors {
		if !n.staleUntil.IsZero() && now.After(n.staleUntil) {
			e.log.Warn("stale routes removed", "neighbor", addr)
			e.rib.SweepStale(addr, allFamilies)
			n.staleUntil = time.Time{}
			e.dismiss(addr, n)
		}
	}
	e.releaseDue(now)
	for _, n := range e.neighbors {
		if n.refresh.asked != 0 {
			e.refresh(n, now)
		}
	}
	e.requestDropped(now)
	if e.sync.heard || !e.configured || len(e.kernel.Links) == 0 || len(e.waiting(now)) > 0 || e.expectsDynamic(now) {
		return
	}
	e.sync.heard = true
	e.rib.Settled(e.inSync)
}

// inSync opens the gate. It is called once the RIB has decided about everything heard,
// because those routes must reach the forwarding plane before it sweeps. The RIB
// decides in turns, so that the engine answers meanwhile, however much a neighbor has
// sent.
func (e *Engine) inSync() {
	e.sync.reached = true
	e.log.Info("in sync", "after", time.Since(e.started).Round(time.Millisecond))
	e.opt.Watch.Publish(watch.Event{At: time.Now(), Change: watch.Life{
		State: "in sync", Version: telemetry.Build().Version, ASN: e.cfg.ASN, RouterID: e.cfg.RouterID,
	}})
	e.publish()
	e.opt.Forwarding.InSync()
	e.opt.Speaker.Restarted()
	for _, n := range e.neighbors {
		e.sendEndOfRIB(n)
	}
}

// waiting returns the neighbors that have not announced all their routes yet, by
// address.
func (e *Engine) waiting(now time.Time) []netip.Addr {
	var out []netip.Addr
	for addr, n := range e.neighbors {
		if !n.synced(now, e.started) {
			out = append(out, addr)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

func (n *neighbor) synced(now, started time.Time) bool {
	late := cmp.Or(n.cfg.HoldTime, longestTable)
	switch {
	case n.isShutdown():
		return true
	case n.up == nil:
		return now.Sub(started) > late
	case n.since.Sub(started) > late:
		return true // or else neighbors that come and go in turn would be waited for without end
	case n.eor.Has(n.up.Families):
		return true
	case now.Sub(n.since) > longestTable:
		return true
	case n.up.PeerRestarted:
		// The neighbor may wait for our End-of-RIB as we wait for its (RFC 4724 4.1), so
		// we do not wait for that. FRR sets this bit for minutes after its start, even
		// before it has announced its routes: silence decides.
	case n.up.PeerRestart > 0 || n.up.GracefulPeer != 0:
		return false // it will send End-of-RIB
	}
	return now.Sub(n.lastUpdate) > quietTime
}
