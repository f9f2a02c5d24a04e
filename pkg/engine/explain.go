package engine

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
)

// Explanation is the story of one prefix: the RIB's, and how its route stands
// with the kernel.
type Explanation struct {
	rib.Explanation
	// Wanted is the route the forwarding plane was told to install; nil: none.
	Wanted *FIBView
	// Kernel are nvad's routes for the prefix as the forwarding plane has them,
	// and Others those of other programs, their Class being the protocol.
	Kernel []FIBView
	Others []FIBView
	// Malformed are announcements of the prefix that were treated as withdrawn, by
	// neighbor.
	Malformed []Treated
	// Assumed is what neither the trial nor the file says, of an Explanation by [Try].
	Assumed []string
}

// Explain tells the story of a prefix, without Kernel and Others. Policies are
// run on the engine's goroutine, by the Programs in force. ErrNoNeighbor if one
// of the query's neighbors is not configured.
func (e *Engine) Explain(ctx context.Context, q rib.ExplainQuery) (Explanation, error) {
	var x Explanation
	var failed error
	err := e.do(ctx, func() {
		for _, addr := range []netip.Addr{q.Neighbor, q.ExportTo} {
			if addr.IsValid() && e.neighbors[addr] == nil {
				failed = fmt.Errorf("neighbor %s %w", addr, ErrNoNeighbor)
				return
			}
		}
		x.Explanation = e.rib.Explain(q)
		x.Wanted = e.wantedView(&x.Explanation)
		x.Malformed = e.treatedOf(q.Prefix, q.Neighbor)
		if !x.Known && len(x.Malformed) > 0 {
			x.NoRoute = onlyMalformed
		} else if from := e.mayHaveDropped(q); !x.Known && len(from) > 0 {
			x.NoRoute = fmt.Sprintf("no announcement of it was kept, but %s exceeded maximum-prefix and some announcements were dropped unseen",
				strings.Join(from, " and "))
		}
	})
	if err == nil {
		err = failed
	}
	return x, err
}

const onlyMalformed = "it was announced only in malformed UPDATEs"

// mayHaveDropped are the neighbors that may have announced the prefix of q, or the one
// that q selects: what maximum-prefix drops, it drops without a trace.
func (e *Engine) mayHaveDropped(q rib.ExplainQuery) (from []string) {
	for _, addr := range slices.SortedFunc(maps.Keys(e.neighbors), netip.Addr.Compare) {
		_, missing := e.rib.Dropped(addr)
		if missing.Has(route.FamilyOf(q.Prefix)) && (!q.Neighbor.IsValid() || q.Neighbor == addr) {
			from = append(from, addr.String())
		}
	}
	return from
}

func (e *Engine) wantedView(x *rib.Explanation) *FIBView {
	r := x.Route
	if r == nil {
		return nil
	}
	v := &FIBView{
		Prefix: x.Prefix, Class: r.Class.String(), Kind: r.Kind.String(), Metric: r.Metric, Source: r.Source,
	}
	for _, h := range r.Hops {
		v.NextHops = append(v.NextHops, HopView{Via: h.Via, Device: e.rib.LinkName(h.Link), Weight: int(h.Weight)})
	}
	return v
}
