package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
)

// ErrNoNeighbor ends the error for a neighbor that is not configured, after its
// address.
var ErrNoNeighbor = errors.New("is not configured")

// ErrNoRoute is the error of Routes if no prefix covers the address asked for.
var ErrNoRoute = errors.New("no route covers the address")

// Table selects the table that Routes reads.
type Table uint8

// Tables of the RIB.
const (
	LocRIB           Table = iota // accepted paths of all neighbors, and local ones
	AdjRIBIn                      // before policy
	AdjRIBInAccepted              // accepted by the import policy, as it changed them
	AdjRIBInRejected              // rejected by it, with the rule
	AdjRIBOut                     // advertised, and held back by maximum-prefix-out
)

// Query selects routes.
type Query struct {
	Table    Table
	Neighbor netip.Addr   // whose table; ignored for LocRIB
	Prefix   netip.Prefix // invalid: all
	Longer   bool         // also more specific prefixes within Prefix
	Address  netip.Addr   // with LocRIB: the longest prefix around it, in place of Prefix
	Filter   Filter
}

// Path is one path of a table.
type Path struct {
	rib.Path
	Attrs    *route.Attrs // in the table asked for
	Held     bool         // not advertised, because of maximum-prefix-out
	Reason   string       // the rule that rejected it, or why it is not valid, not best or held back
	NextHops []string     // "via 10.0.0.1 dev eth0"
}

// readChunk is how many prefixes a reader copies in one turn of the engine.
const readChunk = 512

// Routes calls yield with the routes that q selects, ordered by prefix. It stops at
// yield's first error and returns it.
//
// The engine does not wait for yield: a table is copied a page at a time, so that a
// prefix may be newer than the one before it. A reader holds one page in memory, and
// shares the list of prefixes with all readers who started at the same time.
func (e *Engine) Routes(ctx context.Context, q Query, yield func(Path) error) error {
	if err := e.resolve(ctx, &q); err != nil {
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
		var paths []Path
		if err := e.do(ctx, func() {
			for _, p := range chunk {
				paths = e.appendPaths(paths, p, q)
			}
		}); err != nil {
			return err
		}
		for i := range paths {
			if !q.Filter.Selects(&paths[i]) {
				continue
			}
			if err := yield(paths[i]); err != nil {
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

// resolve refuses a query for a neighbor that is not configured, and finds the
// prefix of an address.
func (e *Engine) resolve(ctx context.Context, q *Query) error {
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

func (e *Engine) prefixes(ctx context.Context) (out []netip.Prefix, err error) {
	err = e.do(ctx, func() { out = e.rib.Snapshot() })
	return out, err
}

func (e *Engine) appendPaths(out []Path, p netip.Prefix, q Query) []Path {
	add := func(v rib.Path) { out = append(out, e.path(v, q.Table == AdjRIBIn || v.Accepted == nil)) }
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
			return append(out, Path{Path: rib.Path{Prefix: p, Neighbor: q.Neighbor, Best: true, Valid: true}, Attrs: a})
		}
		if a, why := e.rib.HeldBack(p, q.Neighbor); a != nil {
			out = append(out, Path{Path: rib.Path{Prefix: p, Neighbor: q.Neighbor}, Attrs: a, Held: true, Reason: why})
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
func bestFirst(a, b Path) int {
	rank := func(v Path) int {
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

func (e *Engine) path(p rib.Path, received bool) Path {
	out := Path{Path: p, Attrs: p.Accepted}
	if received {
		out.Attrs = p.Received
	}
	switch {
	case p.Accepted == nil:
		out.Reason = p.Rule
	case !p.Valid:
		out.Reason = fmt.Sprintf("next hop %s does not resolve", p.Accepted.NextHop)
	case !p.Best:
		out.Reason = "not best: " + p.Step.String()
	case p.Step != rib.StepOnly:
		out.Reason = "best by " + p.Step.String()
	}
	for _, h := range p.Hops {
		text := "dev " + e.rib.LinkName(h.Link)
		if h.Via.IsValid() {
			text = fmt.Sprintf("via %s %s", h.Via, text)
		}
		out.NextHops = append(out.NextHops, text)
	}
	return out
}

// Filter selects paths by their attributes. The zero Filter selects all. It caches AS
// paths that it has matched, so each reader needs one of its own.
type Filter struct {
	From     netip.Addr // neighbor that the path came from; invalid: any
	standard []route.Community
	large    []route.LargeCommunity
	extended []route.ExtCommunity
	asPath   *policy.Program // nil: any
}

// maxCommunities is how many communities one Filter may ask for.
const maxCommunities = 16

// NewFilter returns the Filter for paths that have all of communities, in text form,
// and whose AS path matches asPath, an expression as in an as-path-list; empty: any AS
// path.
func NewFilter(communities []string, asPath string) (Filter, error) {
	var f Filter
	if len(communities) > maxCommunities {
		return f, fmt.Errorf("%d communities are asked for, at most %d are taken", len(communities), maxCommunities)
	}
	for _, s := range communities {
		if err := f.addCommunity(s); err != nil {
			return f, err
		}
	}
	if asPath == "" {
		return f, nil
	}
	const name = "filter"
	lists := map[string]policy.ASPathList{name: {{Permit: true, Regexp: asPath}}}
	program, err := policy.Compile(&policy.Library{ASPathLists: lists}, policy.Chain{ASPathList: name}, policy.Session{})
	if err != nil {
		return f, fmt.Errorf("AS path expression %q: %w", asPath, cause(err))
	}
	f.asPath = program
	return f, nil
}

// cause strips the name of the list from a policy's error: no operator wrote that list.
func cause(err error) error {
	var e *policy.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// addCommunity adds a standard, large or extended community.
func (f *Filter) addCommunity(s string) error {
	switch {
	case strings.Count(s, ":") == 2:
		c, err := route.ParseLargeCommunity(s)
		f.large = append(f.large, c)
		return err
	case strings.Contains(s, " ") || strings.HasPrefix(s, "0x"):
		c, err := route.ParseExtCommunity(s)
		f.extended = append(f.extended, c)
		return err
	}
	c, err := route.ParseCommunity(s)
	f.standard = append(f.standard, c)
	return err
}

// Selects reports whether v matches the filter.
func (f *Filter) Selects(v *Path) bool {
	if f.From.IsValid() && v.Neighbor != f.From {
		return false
	}
	return containsAll(v.Attrs.Communities, f.standard) && containsAll(v.Attrs.LargeCommunities, f.large) &&
		containsAll(v.Attrs.ExtCommunities, f.extended) &&
		(f.asPath == nil || f.asPath.Run(&policy.Input{Prefix: v.Prefix, Attrs: v.Attrs}).Accept)
}

func containsAll[T comparable](have, want []T) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}
