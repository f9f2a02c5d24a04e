package engine

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Sample is what is measured of the engine, all of it at one moment.
type Sample struct {
	Vitals
	Prefixes  int // in the Loc-RIB
	Paths     int // in all Adj-RIBs-In
	Backlog   int // destinations that wait to be looked at
	Events    int // of sessions that wait to be taken
	Memory    MemoryView
	Neighbors []NeighborSample
}

// NeighborSample is what is measured of one neighbor.
type NeighborSample struct {
	Address   netip.Addr
	PeerGroup string
	RemoteASN uint32
	State     speaker.State
	Since     time.Time // of State
	Shutdown  bool
	Flaps     uint64
	Stats     speaker.Stats
	Families  route.Family
	Tallies   [2]rib.Tally
	Stale     int
	MaxPrefix int    // 0: unlimited
	MaxOut    int    // MaximumPrefixOut, of each family; 0: unlimited
	Octets    uint64 // of memory that it holds, an estimate
	Closings  uint64 // sessions ended for the memory budget
}

// Sample measures the engine. Everything was counted as it happened: it walks
// neighbors, never routes.
func (e *Engine) Sample(ctx context.Context) (Sample, error) {
	var s Sample
	err := e.do(ctx, func() {
		s.Vitals = e.vitals()
		s.Prefixes, _ = e.rib.Prefixes()
		s.Paths = e.rib.Received()
		s.Memory = e.memoryView()
		s.Backlog, s.Events = e.rib.Backlog(), len(e.opt.Speaker.Events())
		for _, addr := range slices.SortedFunc(maps.Keys(e.neighbors), netip.Addr.Compare) {
			s.Neighbors = append(s.Neighbors, e.neighborSample(addr, e.neighbors[addr]))
		}
	})
	return s, err
}

func (e *Engine) neighborSample(addr netip.Addr, n *neighbor) NeighborSample {
	stats, _ := e.opt.Speaker.Stats(addr)
	s := NeighborSample{
		Address: addr, PeerGroup: n.cfg.PeerGroup, RemoteASN: n.cfg.RemoteASN, State: n.state, Since: n.since,
		Shutdown: n.isShutdown(), Flaps: n.flaps, Stats: stats, Families: n.cfg.Families,
		Tallies: e.rib.Tallies(addr), Stale: e.rib.Counts(addr).Stale, MaxPrefix: n.cfg.MaximumPrefix,
		MaxOut: n.cfg.MaximumPrefixOut, Octets: e.octets(addr, &stats), Closings: n.memoryClosings,
	}
	if n.up != nil {
		s.Families = n.up.Families
	}
	return s
}
