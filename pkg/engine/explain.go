package engine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
)

// Explanation is everything that the engine knows about one prefix.
type Explanation struct {
	rib.Explanation
	// Malformed are announcements of the prefix that were treated as withdrawn, by
	// neighbor.
	Malformed []Treated
	// Unoriginated is why a network of the file for the prefix is not originated; empty if
	// there is none, or it is.
	Unoriginated string
	// Assumed, with [Try], is what neither the trial nor the file says.
	Assumed []string
}

// Explain explains why a prefix is accepted, chosen, advertised and installed, or
// not. Policies run again on the engine's goroutine, by the Programs in force.
// ErrNoNeighbor if one of the query's neighbors is not configured.
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
		x.Unoriginated = e.whyNotOriginated(q.Prefix)
		x.Malformed = e.treatedOf(q.Prefix, q.Neighbor)
		if !x.Known && len(x.Malformed) > 0 {
			x.NoRoute = onlyMalformed
		} else if from := e.mayHaveDropped(q); !x.Known && len(from) > 0 {
			x.NoRoute = fmt.Sprintf("no announcement of it was kept, but %s announced more than maximum-prefix lets nvad keep, and some announcements were dropped unseen",
				strings.Join(from, " and "))
		}
	})
	if err == nil {
		err = failed
	}
	return x, err
}

// whyNotOriginated says why the network of the file for prefix is not originated; empty if
// there is none, or it is.
func (e *Engine) whyNotOriginated(prefix netip.Prefix) string {
	configured := func(n config.Network) bool { return n.Prefix == prefix }
	accepted := func(n network) bool { return n.Prefix == prefix }
	is := func(l rib.Local) bool { return l.Prefix == prefix && l.Source == route.SourceNetwork }
	switch {
	case !slices.ContainsFunc(e.cfg.Networks, configured), slices.ContainsFunc(e.local, is):
		return ""
	case !slices.ContainsFunc(e.origin.networks, accepted):
		return "its route-map denies it"
	}
	return "import-check: there is no connected, static or other program's route for exactly this prefix, or its links are down"
}

const onlyMalformed = "it was announced only in malformed UPDATEs"

// mayHaveDropped returns the neighbors, or the one that q selects, that may have
// announced the prefix of q: maximum-prefix drops announcements without a trace.
func (e *Engine) mayHaveDropped(q rib.ExplainQuery) (from []string) {
	for _, addr := range e.addresses() {
		_, missing := e.rib.Dropped(addr)
		if missing.Has(route.FamilyOf(q.Prefix)) && (!q.Neighbor.IsValid() || q.Neighbor == addr) {
			from = append(from, addr.String())
		}
	}
	return from
}
