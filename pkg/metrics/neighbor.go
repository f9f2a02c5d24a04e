package metrics

import (
	"time"

	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// perNeighbor are the labels of every metric of a neighbor; more may follow.
var perNeighbor = []string{"neighbor", "peer_group"}

func withNeighbor(more ...string) []string { return append(perNeighbor[:2:2], more...) }

// eachNeighbor reads a value of every neighbor. Its labels follow those of perNeighbor.
func eachNeighbor(read func(*engine.NeighborSample, emit)) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		for i := range s.Engine.Neighbors {
			n := &s.Engine.Neighbors[i]
			read(n, func(v float64, labels ...string) {
				out(v, append([]string{n.Address.String(), n.PeerGroup}, labels...)...)
			})
		}
	}
}

// eachFamily reads a value of every neighbor in each family of its session.
func eachFamily(read func(t rib.Tally, family string, out emit)) func(*Sample, emit) {
	return eachNeighbor(func(n *engine.NeighborSample, out emit) {
		for _, t := range n.Tallies {
			if n.Session.Families.Has(t.Family) {
				read(t, familyName[t.Family], out)
			}
		}
	})
}

var familyName = map[route.Family]string{route.IPv4: "ipv4", route.IPv6: "ipv6"}

var neighborMetrics = []metric{
	{"nvad_neighbor_info", "A configured neighbor; always 1.", gauge, withNeighbor("remote_asn"),
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(1, text(n.RemoteASN)) })},
	{"nvad_neighbor_established", "1 if the session is established.", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(one(n.State == speaker.EstablishedState)) })},
	{"nvad_neighbor_state", "State of the session as in RFC 4273: 1 Idle, 2 Connect, 3 Active, 4 OpenSent, 5 OpenConfirm, 6 Established.", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(stateNumber(n.State)) })},
	{"nvad_neighbor_state_change_timestamp_seconds", "Unix time since which the session is established, or is not.", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(unix(n.Since)) })},
	{"nvad_neighbor_shutdown", "1 if the configuration, an operator or a limit shuts the neighbor down.", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(one(n.Shutdown)) })},
	{"nvad_neighbor_flaps_total", "How often the session was lost after it was established.", counter, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(float64(n.Flaps)) })},
	{"nvad_neighbor_messages_total", "BGP messages, by direction (received, sent) and type.", counter, withNeighbor("direction", "type"),
		eachNeighbor(func(n *engine.NeighborSample, out emit) {
			messages(n.Stats.In, "received", out)
			messages(n.Stats.Out, "sent", out)
		})},
	{"nvad_neighbor_malformed_updates_total", "Malformed UPDATEs, by how they were handled (RFC 7606): attribute-discard, treat-as-withdraw or session-reset.", counter, withNeighbor("action"),
		eachNeighbor(func(n *engine.NeighborSample, out emit) {
			for i, c := range n.Stats.Malformed.ByAction {
				out(float64(c), speaker.Action(i).String())
			}
		})},
	{"nvad_neighbor_malformed_updates_class_total", "Malformed UPDATEs, by what was wrong: frame, prefix, flags, length, value, duplicate, missing, unrecognized or limit.", counter, withNeighbor("class"),
		eachNeighbor(func(n *engine.NeighborSample, out emit) {
			for i, c := range n.Stats.Malformed.ByClass {
				out(float64(c), speaker.Class(i).String())
			}
		})},
	{"nvad_neighbor_routes_received", "Routes in the Adj-RIB-In, before policy.", gauge, withNeighbor("family"),
		eachFamily(func(t rib.Tally, family string, out emit) { out(float64(t.Received()), family) })},
	{"nvad_neighbor_routes_accepted", "Received routes that were accepted.", gauge, withNeighbor("family"),
		eachFamily(func(t rib.Tally, family string, out emit) { out(float64(t.Accepted), family) })},
	{"nvad_neighbor_routes_rejected", "Received routes that were rejected, by reason: policy, or the check that failed before it.", gauge, withNeighbor("family", "reason"),
		eachFamily(func(t rib.Tally, family string, out emit) {
			for _, r := range t.Rejected {
				out(float64(r.Paths), family, r.Reason)
			}
		})},
	{"nvad_neighbor_announcements_dropped_total", "Announcements dropped since the session came up, because the neighbor exceeded twice its maximum-prefix.", counter, withNeighbor("family"),
		eachFamily(func(t rib.Tally, family string, out emit) { out(float64(t.Dropped), family) })},
	{"nvad_neighbor_routes_advertised", "Routes in the Adj-RIB-Out.", gauge, withNeighbor("family"),
		eachFamily(func(t rib.Tally, family string, out emit) { out(float64(t.Advertised), family) })},
	{"nvad_neighbor_routes_held_back", "Routes that maximum-prefix-out keeps out of the Adj-RIB-Out.", gauge, withNeighbor("family"),
		eachFamily(func(t rib.Tally, family string, out emit) { out(float64(t.Held), family) })},
	{"nvad_neighbor_routes_out_limit", "maximum-prefix-out, of each family; absent where there is no limit.", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out.ifAny(float64(n.MaxPrefixOut)) })},
	{"nvad_neighbor_routes_stale", "Routes kept while the neighbor restarts (RFC 4724).", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(float64(n.Counts.Stale)) })},
	{"nvad_neighbor_routes_limit", "maximum-prefix; absent where there is no limit.", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out.ifAny(float64(n.MaxPrefix)) })},
	{"nvad_neighbor_routes_waiting", "Changes that are not on the wire yet.", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(float64(n.Stats.Queued)) })},
	{"nvad_neighbor_memory_bytes", "Estimate of the memory that the neighbor's routes and session take.", gauge, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(float64(n.Octets)) })},
	{"nvad_neighbor_memory_closings_total", "How often nvad closed the session because the memory budget was exceeded and its routes took most.", counter, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(float64(n.MemoryClosings)) })},
	{"nvad_neighbor_routes_unsendable_total", "Routes withheld because no message can carry their attributes.", counter, perNeighbor,
		eachNeighbor(func(n *engine.NeighborSample, out emit) { out(float64(n.Stats.Unsendable)) })},
}

func messages(m speaker.Messages, direction string, out emit) {
	out(float64(m.Open), direction, "open")
	out(float64(m.Update), direction, "update")
	out(float64(m.Notification), direction, "notification")
	out(float64(m.Keepalive), direction, "keepalive")
	out(float64(m.RouteRefresh), direction, "route-refresh")
}

// unix is a time in seconds, as Prometheus wants it.
func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
