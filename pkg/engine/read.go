package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
)

// ErrNoNeighbor ends the error for a neighbor that is not configured, after its
// address.
var ErrNoNeighbor = errors.New("is not configured")

// Table names what Routes reads.
type Table uint8

// Tables of the RIB.
const (
	LocRIB Table = iota
	AdjRIBIn
	AdjRIBInAccepted
	AdjRIBInRejected
	AdjRIBOut // and what maximum-prefix-out holds back from it
)

// Query selects routes. Neighbor is not looked at for LocRIB; an invalid
// Prefix selects all.
type Query struct {
	Table    Table
	Neighbor netip.Addr
	Prefix   netip.Prefix
	Longer   bool       // also what lies within Prefix
	Address  netip.Addr // with LocRIB: the longest prefix around it, in place of Prefix
	Filter   Filter
}

// readChunk is how many prefixes a reader copies in one turn of the engine.
const readChunk = 512

// Status returns the engine's state at a glance.
func (e *Engine) Status(ctx context.Context) (Status, error) {
	var s Status
	err := e.do(ctx, func() {
		s = Status{ASN: e.cfg.ASN, RouterID: e.cfg.RouterID, Since: e.started,
			Neighbors: len(e.neighbors), InSync: e.sync.reached, Drain: e.drainNow()}
		s.Prefixes, s.Paths = e.rib.Prefixes()
		s.Memory = e.memoryView()
		s.NoWayOut, s.Alone = e.noWayOut(), e.alone()
		for _, n := range e.neighbors {
			if n.up != nil {
				s.Established++
			}
		}
		if !s.InSync {
			s.Waiting = e.waiting(time.Now())
		}
		s.Warnings = append(slices.Clone(e.cautions), e.warnings()...)
	})
	slices.SortFunc(s.Waiting, netip.Addr.Compare)
	return s, err
}

// Neighbors returns all neighbors, ordered by address.
func (e *Engine) Neighbors(ctx context.Context) ([]NeighborView, error) {
	var out []NeighborView
	err := e.do(ctx, func() {
		for _, addr := range slices.SortedFunc(maps.Keys(e.neighbors), netip.Addr.Compare) {
			out = append(out, e.neighborView(addr, e.neighbors[addr]))
		}
	})
	return out, err
}

func (e *Engine) neighborView(addr netip.Addr, n *neighbor) NeighborView {
	c := e.rib.Counts(addr)
	stats, _ := e.opt.Speaker.Stats(addr)
	external := n.cfg.OwnASN(e.cfg) != n.cfg.RemoteASN
	v := NeighborView{
		Address: addr, Description: n.cfg.Description, PeerGroup: n.cfg.PeerGroup, Domain: n.cfg.Domain,
		RemoteASN: n.cfg.RemoteASN, LocalASN: n.cfg.OwnASN(e.cfg), LocalAddress: n.cfg.LocalAddress,
		State: n.state, Shutdown: n.isShutdown(), Since: n.since, Reason: n.reason,
		LastDown: n.lastDown, Flaps: n.flaps, Stats: stats, LastMalformed: n.malformed.String(), MalformedAt: n.malformedAt,
		HoldTime: n.cfg.HoldTime, Keepalive: n.cfg.Keepalive, Families: n.cfg.Families,
		Received: c.Received, Accepted: c.Accepted, Rejected: c.Received - c.Accepted,
		Stale: c.Stale, Advertised: c.Advertised, MaxPrefix: n.cfg.MaximumPrefix,
		MaxPrefixOut: n.cfg.MaximumPrefixOut, Held: c.Held, Octets: e.octets(addr, &stats), MemoryClosings: n.memoryClosings, EndOfRIB: n.eor,
		ImportPolicy: policyText(n.cfg.Import, external), ExportPolicy: policyText(n.cfg.Export, external),
		Settings: settings(n),
	}
	v.Dropped, _ = e.rib.Dropped(addr)
	if n.held != "" {
		v.Reason = n.held
	}
	for _, w := range e.neighborWarnings(&n.cfg) {
		v.Warnings = append(v.Warnings, w.Msg)
	}
	if n.up != nil {
		v.LocalAddress, v.RemoteID = n.up.LocalAddress, n.up.RemoteID
		v.HoldTime, v.Keepalive, v.Families = n.up.HoldTime, n.up.Keepalive, n.up.Families
		v.Capabilities, v.GracefulPeer, v.PeerRestart = n.up.Capabilities, n.up.GracefulPeer, n.up.PeerRestart
	}
	return v
}

// settings are the keys worth showing beside what has a place of its own.
func settings(n *neighbor) map[string]string {
	out := map[string]string{}
	add := func(key string, set bool, value any) {
		if set {
			out[key] = fmt.Sprint(value)
		}
	}
	c := &n.cfg
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
	add("maximum-prefix-restart", c.MaximumPrefix > 0 && c.MaximumPrefixRestart > 0, c.MaximumPrefixRestart)
	add("maximum-prefix-out-count", c.MaximumPrefixOut > 0 && c.MaximumPrefixOutCount != config.CountPrefixes, c.MaximumPrefixOutCount)
	add("weight", c.Weight > 0, c.Weight)
	add("role", c.Role != "", c.Role)
	return out
}

// Routes calls yield with the routes that q selects, ordered by prefix. The
// engine does not wait for yield: a table is copied a page at a time, so that
// a prefix may be newer than the one before it. What a reader holds meanwhile is
// one page, and the list of prefixes that all who began with it share. It stops
// at yield's first error and returns it.
func (e *Engine) Routes(ctx context.Context, q Query, yield func(PathView) error) error {
	if err := e.prepare(ctx, &q); err != nil {
		return err
	}
	prefixes := route.Pack([]netip.Prefix{q.Prefix})
	if !q.Prefix.IsValid() || q.Longer {
		list, release, err := e.lists.Borrow(ctx, e.prefixes)
		if err != nil {
			return err
		}
		defer release()
		prefixes = list
	}
	for chunk := range prefixes.Pages(readChunk) {
		if q.Longer {
			chunk = slices.DeleteFunc(chunk, func(p netip.Prefix) bool { return !within(p, q.Prefix) })
		}
		if len(chunk) == 0 {
			continue
		}
		var views []PathView
		if err := e.do(ctx, func() {
			for _, p := range chunk {
				views = e.appendViews(views, p, q)
			}
		}); err != nil {
			return err
		}
		for i := range views {
			if !q.Filter.Selects(&views[i]) {
				continue
			}
			if err := yield(views[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// within reports whether p is outer or lies in it. An invalid outer has all.
func within(p, outer netip.Prefix) bool {
	return !outer.IsValid() || outer.Bits() <= p.Bits() && outer.Contains(p.Addr())
}

// ErrNoRoute is what Routes returns if no prefix covers the address that it is asked
// for.
var ErrNoRoute = errors.New("no route covers the address")

// prepare refuses a query for a neighbor that is not configured, and finds the prefix
// of an address.
func (e *Engine) prepare(ctx context.Context, q *Query) error {
	neighbor := q.Neighbor
	if q.Table == LocRIB {
		neighbor = q.Filter.From
	}
	known, covered := true, true
	prefix := q.Prefix
	err := e.do(ctx, func() {
		known = !neighbor.IsValid() && q.Table == LocRIB || e.neighbors[neighbor] != nil
		if q.Address.IsValid() {
			prefix, covered = e.rib.Covering(q.Address)
		}
	})
	switch {
	case err != nil:
		return err
	case !known:
		return fmt.Errorf("neighbor %s %w", neighbor, ErrNoNeighbor)
	case !covered:
		return ErrNoRoute
	}
	q.Prefix = prefix
	return nil
}

// prefixes copies those of the table.
func (e *Engine) prefixes(ctx context.Context) (out []netip.Prefix, err error) {
	err = e.do(ctx, func() { out = e.rib.Snapshot() })
	return out, err
}

func (e *Engine) appendViews(out []PathView, p netip.Prefix, q Query) []PathView {
	add := func(v rib.Path) { out = append(out, e.pathView(v, q.Table == AdjRIBIn || v.Accepted == nil)) }
	switch q.Table {
	case LocRIB:
		first := len(out)
		e.rib.Lookup(p, func(v rib.Path) {
			if v.Accepted != nil || q.Prefix.IsValid() && !q.Longer {
				add(v)
			}
		})
		slices.SortStableFunc(out[first:], bestFirst)
	case AdjRIBOut:
		if a := e.rib.Sent(p, q.Neighbor); a != nil {
			return append(out, PathView{Prefix: p, Neighbor: q.Neighbor, Attrs: a, Best: true, Valid: true})
		}
		if a, why := e.rib.HeldBack(p, q.Neighbor); a != nil {
			out = append(out, PathView{Prefix: p, Neighbor: q.Neighbor, Attrs: a, Held: true, Reason: why})
		}
	default:
		e.rib.From(p, q.Neighbor, func(v rib.Path) {
			if q.Table == AdjRIBIn || (v.Accepted != nil) == (q.Table == AdjRIBInAccepted) {
				add(v)
			}
		})
	}
	return out
}

// bestFirst orders the paths of a prefix: the best one, then those that share its
// traffic, then by neighbor.
func bestFirst(a, b PathView) int {
	rank := func(v PathView) int {
		switch {
		case v.Best:
			return 0
		case v.Multipath:
			return 1
		case v.Valid:
			return 2
		}
		return 3
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Neighbor.Compare(b.Neighbor))
}

func (e *Engine) pathView(p rib.Path, received bool) PathView {
	v := PathView{
		Prefix: p.Prefix, Neighbor: p.Neighbor, Source: p.Source, Attrs: p.Accepted, Weight: p.Weight,
		Best: p.Best, Multipath: p.Multipath, Internal: p.Internal, Stale: p.Stale, Valid: p.Valid,
		Received: p.At, Advertised: p.Advertised,
	}
	v.FIB = p.Forwards
	if received {
		v.Attrs = p.Received
	}
	switch {
	case p.Accepted == nil:
		v.Reason = p.Rule
	case !p.Valid:
		v.Reason = fmt.Sprintf("next hop %s does not resolve", p.Accepted.NextHop)
	case !p.Best:
		v.Reason = "not best: " + p.Step.String()
	case p.Step != rib.StepOnly:
		v.Reason = "best by " + p.Step.String()
	}
	for _, h := range p.Hops {
		v.NextHops = append(v.NextHops, e.hopText(h))
	}
	return v
}

func (e *Engine) hopText(h fib.NextHop) string {
	dev := e.rib.LinkName(h.Link)
	if !h.Via.IsValid() {
		return "dev " + dev
	}
	return fmt.Sprintf("via %s dev %s", h.Via, dev)
}
