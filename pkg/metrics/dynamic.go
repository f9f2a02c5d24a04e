package metrics

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/engine"
)

// dynamic reports whether addr is a dynamic neighbor. These have no metrics of their own:
// their addresses come and go, and each would leave series behind in Prometheus.
func (s *Sample) dynamic(addr netip.Addr) bool {
	i, found := slices.BinarySearchFunc(s.Engine.Neighbors, addr, func(n engine.NeighborSample, a netip.Addr) int { return n.Address.Compare(a) })
	return found && s.Engine.Neighbors[i].Range.IsValid()
}

// eachRange reads a value of every listen-range.
func eachRange(read func(*engine.Range) float64) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		for i := range s.Engine.Ranges {
			r := &s.Engine.Ranges[i]
			out(read(r), r.Prefix.String(), r.PeerGroup)
		}
	}
}

// eachListenGroup reads a value of every peer-group with listen-ranges.
func eachListenGroup(read func(*engine.Range) float64) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		seen := map[string]bool{}
		for i := range s.Engine.Ranges {
			if r := &s.Engine.Ranges[i]; !seen[r.PeerGroup] {
				seen[r.PeerGroup] = true
				out(read(r), r.PeerGroup)
			}
		}
	}
}

var rangeMetrics = []metric{
	{"nvad_listen_range_established", "Established dynamic neighbors.", gauge, []string{"range", "peer_group"},
		eachRange(func(r *engine.Range) float64 { return float64(r.Established) })},
	{"nvad_listen_range_routes_accepted", "Accepted routes of dynamic neighbors.", gauge, []string{"range", "peer_group"},
		eachRange(func(r *engine.Range) float64 { return float64(r.Accepted) })},
	{"nvad_listen_places", "Places of listen-limit that dynamic neighbors take: with a session, while one comes up, or for a while after.", gauge, []string{"peer_group"},
		eachListenGroup(func(r *engine.Range) float64 { return float64(r.Places) })},
	{"nvad_listen_limit", "listen-limit.", gauge, []string{"peer_group"},
		eachListenGroup(func(r *engine.Range) float64 { return float64(r.Limit) })},
	{"nvad_listen_refused_total", "Connections of dynamic neighbors that were refused because no place was free.", counter, []string{"peer_group"},
		eachListenGroup(func(r *engine.Range) float64 { return float64(r.Refused) })},
}
