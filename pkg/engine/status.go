package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Status summarizes the engine.
type Status struct {
	ASN         uint32
	RouterID    netip.Addr
	Since       time.Time
	Neighbors   int
	Established int
	Prefixes    int // with an accepted path
	Paths       int // accepted and local ones: the number that Routes yields for LocRIB
	InSync      bool
	Waiting     []netip.Addr     // neighbors that the engine still waits for before it is in sync
	Warnings    []config.Warning // about the configuration, and about its effect at run time
	Drain       Drain
	Memory      MemoryStatus
	NoWayOut    bool // the kernel has no default route
	Alone       bool // no other NVA is known to have this one's routes
}

// MemoryStatus is the memory of the process, in octets.
type MemoryStatus struct {
	InUse, Budget uint64 // Budget 0: no limit
	Closings      uint64 // sessions closed to stay within the budget
}

// Status returns the engine's state at a glance.
func (e *Engine) Status(ctx context.Context) (Status, error) {
	var s Status
	err := e.do(ctx, func() {
		s = Status{ASN: e.cfg.ASN, RouterID: e.cfg.RouterID, Since: e.started,
			Neighbors: len(e.neighbors), InSync: e.sync.reached, Drain: e.drains.status()}
		s.Prefixes, s.Paths = e.rib.Prefixes()
		s.Memory = e.memoryStatus()
		s.NoWayOut, s.Alone = e.noWayOut(), e.alone()
		for _, n := range e.neighbors {
			if n.up != nil {
				s.Established++
			}
		}
		if !s.InSync {
			s.Waiting = e.waiting(time.Now())
		}
		s.Warnings = append(slices.Clone(e.warnings.file), e.runtimeWarnings()...)
	})
	return s, err
}

// Vitals says whether this NVA should carry traffic.
type Vitals struct {
	InSync      bool
	Waiting     []netip.Addr // neighbors that the engine still waits for before it is in sync
	Drain       Drain
	Established map[string]int // established neighbors by peer-group
	Tunnels     map[string]TunnelVitals
}

// TunnelVitals is a tunnel with the neighbors that are reached over it.
type TunnelVitals struct {
	Up                     bool // the device is there and up
	Neighbors, Established int
}

// Vitals returns the engine's vitals. It walks neighbors, never routes.
func (e *Engine) Vitals(ctx context.Context) (Vitals, error) {
	var v Vitals
	err := e.do(ctx, func() { v = e.vitals() })
	return v, err
}

func (e *Engine) vitals() Vitals {
	v := Vitals{
		InSync: e.sync.reached, Drain: e.drains.status(), Established: map[string]int{}, Tunnels: map[string]TunnelVitals{},
	}
	if !v.InSync {
		v.Waiting = e.waiting(time.Now())
	}
	for _, n := range e.neighbors {
		if n.up != nil {
			v.Established[n.cfg.PeerGroup]++
		}
	}
	for _, t := range e.cfg.Tunnels {
		v.Tunnels[t.Name] = e.tunnelVitals(t.Name, t.Addresses)
	}
	return v
}

func (e *Engine) tunnelVitals(name string, subnets []netip.Prefix) TunnelVitals {
	v := TunnelVitals{Up: slices.ContainsFunc(e.kernel.Links, func(l fib.Link) bool { return l.Name == name && l.Up })}
	for addr, n := range e.neighbors {
		if !slices.ContainsFunc(subnets, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			continue
		}
		v.Neighbors++
		if n.up != nil {
			v.Established++
		}
	}
	return v
}

// Sample is one measurement of the engine for metrics, all of it at one moment.
type Sample struct {
	Vitals
	Prefixes  int // in the Loc-RIB
	Paths     int // in all Adj-RIBs-In
	Backlog   int // destinations waiting for a decision
	Events    int // session events waiting for the engine
	Memory    MemoryStatus
	Neighbors []NeighborSample
	Ranges    []Range
}

// NeighborSample holds the values of one neighbor that metrics show. Each is counted as
// it happens, so that a scrape costs next to nothing.
type NeighborSample struct {
	Address   netip.Addr
	PeerGroup string
	Range     netip.Prefix // the listen-range of a dynamic neighbor; invalid: it is configured
	RemoteASN uint32
	State     speaker.State
	Since     time.Time // of State
	Shutdown  bool
	Flaps     uint64
	Stats     speaker.Stats
	// Session has the negotiated values; while the session is down, its address, timers
	// and families as configured.
	Session        speaker.Established
	Counts         rib.Counts
	Tallies        [2]rib.Tally
	MaxPrefix      int    // 0: unlimited
	MaxPrefixOut   int    // of each family; 0: unlimited
	Octets         uint64 // of memory that it holds, an estimate
	MemoryClosings uint64 // sessions closed because memory was short and it held most
}

// Sample measures the engine. It walks neighbors, never routes.
func (e *Engine) Sample(ctx context.Context) (Sample, error) {
	var s Sample
	err := e.do(ctx, func() {
		s.Vitals = e.vitals()
		s.Prefixes, _ = e.rib.Prefixes()
		s.Paths = e.rib.Received()
		s.Memory = e.memoryStatus()
		s.Backlog, s.Events = e.rib.Backlog(), len(e.opt.Speaker.Events())
		for _, addr := range e.addresses() {
			s.Neighbors = append(s.Neighbors, e.neighborSample(addr, e.neighbors[addr]))
		}
		s.Ranges = e.rangesNow()
	})
	return s, err
}

// addresses returns the neighbors in order of their addresses.
func (e *Engine) addresses() []netip.Addr {
	return slices.SortedFunc(maps.Keys(e.neighbors), netip.Addr.Compare)
}

func (e *Engine) neighborSample(addr netip.Addr, n *neighbor) NeighborSample {
	stats, _ := e.opt.Speaker.Stats(addr)
	s := NeighborSample{
		Address: addr, PeerGroup: n.cfg.PeerGroup, Range: n.cfg.Range, RemoteASN: n.cfg.RemoteASN, State: n.state, Since: n.since,
		Shutdown: n.isShutdown(), Flaps: n.flaps, Stats: stats, Counts: e.rib.Counts(addr), Tallies: e.rib.Tallies(addr),
		MaxPrefix: n.cfg.MaximumPrefix, MaxPrefixOut: n.cfg.MaximumPrefixOut,
		Octets: e.octets(addr, &stats), MemoryClosings: n.memoryClosings,
	}
	s.Session.LocalAddress, s.Session.Families = n.cfg.LocalAddress, n.cfg.Families
	s.Session.HoldTime, s.Session.Keepalive = n.cfg.HoldTime, n.cfg.Keepalive
	if n.up != nil {
		s.Session = *n.up
	}
	return s
}

// NeighborStatus is everything that a client may see of a neighbor.
type NeighborStatus struct {
	NeighborSample
	Description   string
	Domain        string
	LocalASN      uint32
	Reason        string // why the session is not up, or why it last went down
	LastDown      time.Time
	LastMalformed string // what was wrong with the last malformed UPDATE; empty: there was none
	MalformedAt   time.Time
	Dropped       uint64       // announcements dropped since the session came up: beyond twice MaxPrefix
	EndOfRIB      route.Family // markers received since established
	ImportPolicy  string       // in words; says so if RFC 8212 denies all
	ExportPolicy  string
	Warnings      []string          // about this neighbor, at run time
	Settings      map[string]string // other settings worth showing, by their key in the file
}

// Neighbors returns all neighbors, ordered by address.
func (e *Engine) Neighbors(ctx context.Context) ([]NeighborStatus, error) {
	var out []NeighborStatus
	err := e.do(ctx, func() {
		for _, addr := range e.addresses() {
			out = append(out, e.neighborStatus(addr, e.neighbors[addr]))
		}
	})
	return out, err
}

func (e *Engine) neighborStatus(addr netip.Addr, n *neighbor) NeighborStatus {
	external := n.cfg.OwnASN(e.cfg) != n.cfg.RemoteASN
	s := NeighborStatus{
		NeighborSample: e.neighborSample(addr, n),
		Description:    n.cfg.Description, Domain: n.cfg.Domain, LocalASN: n.cfg.OwnASN(e.cfg),
		Reason: cmp.Or(n.held, unlocated(&n.cfg), n.reason), LastDown: n.lastDown,
		LastMalformed: n.malformed.String(), MalformedAt: n.malformedAt, EndOfRIB: n.eor,
		ImportPolicy: policyText(n.cfg.Import, external), ExportPolicy: policyText(n.cfg.Export, external),
		Settings: settings(&n.cfg),
	}
	s.Dropped, _ = e.rib.Dropped(addr)
	for _, w := range e.neighborWarnings(&n.cfg) {
		s.Warnings = append(s.Warnings, w.Msg)
	}
	return s
}

// policyText describes a neighbor's policy in one line.
func policyText(c policy.Chain, external bool) string {
	switch {
	case c != (policy.Chain{}):
		return c.String()
	case external:
		return "deny all (no policy, RFC 8212)"
	}
	return "deny all (no policy)"
}

// settings lists the keys worth showing that have no field in NeighborStatus.
func settings(c *config.Neighbor) map[string]string {
	out := map[string]string{}
	add := func(key string, set bool, value any) {
		if set {
			out[key] = fmt.Sprint(value)
		}
	}
	add("ebgp-multihop", c.EBGPMultihop > 1, c.EBGPMultihop)
	add("ttl-security", c.TTLSecurity > 0, c.TTLSecurity)
	add("passive", c.Passive, true)
	add("password", c.Password != "", "set")
	add("next-hop-self", c.NextHopSelf && !c.NextHopSelfForce, true)
	add("next-hop-self", c.NextHopSelfForce, "force")
	add("route-reflector-client", c.RouteReflectorClient, true)
	add("allowas-in", c.AllowASIn > 0, c.AllowASIn)
	add("as-override", c.ASOverride, true)
	add("remove-private-as", c.RemovePrivateAS && !c.ReplacePrivateAS, true)
	add("remove-private-as", c.ReplacePrivateAS, "replace")
	add("default-originate", c.DefaultOriginate, cmp.Or(c.DefaultOriginateMap, "true"))
	add("maximum-prefix-action", c.MaximumPrefix > 0 && c.MaximumPrefixAction != "", c.MaximumPrefixAction)
	add("maximum-prefix-count", c.MaximumPrefix > 0 && c.MaximumPrefixCount == config.CountAccepted, c.MaximumPrefixCount)
	add("maximum-prefix-restart", c.MaximumPrefix > 0 && c.MaximumPrefixRestart > 0, c.MaximumPrefixRestart)
	add("maximum-prefix-out-count", c.MaximumPrefixOut > 0 && c.MaximumPrefixOutCount != config.CountPrefixes, c.MaximumPrefixOutCount)
	add("weight", c.Weight > 0, c.Weight)
	add("role", c.Role != "", c.Role)
	add("role-strict", c.RoleStrict, true)
	add("remote-asn", c.RemoteType == config.External, config.External)
	return out
}

// Ranges returns the listen-ranges of the configuration, ordered by prefix.
func (e *Engine) Ranges(ctx context.Context) (out []Range, err error) {
	err = e.do(ctx, func() { out = e.rangesNow() })
	return out, err
}

// PolicyHits counts how often each rule of one of a neighbor's policies decided
// since the policy came into force. A route that is evaluated again counts again.
type PolicyHits struct {
	Export bool
	Rules  []policy.RuleHits
}

// PolicyHits returns the hits of a neighbor's import and export policy. The engine
// only copies counts; the caller's goroutine puts the rules into words.
// ErrNoNeighbor if it is not configured.
func (e *Engine) PolicyHits(ctx context.Context, addr netip.Addr) ([]PolicyHits, error) {
	var programs [2]*policy.Program
	var counts [2][]uint64
	err := e.with(ctx, addr, func(*neighbor) error {
		programs[0], programs[1] = e.rib.Policies(addr)
		for i, p := range programs {
			if p == nil {
				return fmt.Errorf("neighbor %s has no policy yet", addr)
			}
			counts[i] = p.Counts()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return []PolicyHits{
		{Rules: programs[0].Hits(counts[0])}, {Export: true, Rules: programs[1].Hits(counts[1])},
	}, nil
}
