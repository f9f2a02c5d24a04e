package metrics

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// all returns every metric of nvad, in the order of the documentation.
func all() []metric {
	return slices.Concat(daemonMetrics, neighborMetrics, rangeMetrics, ribMetrics, fibMetrics, tunnelMetrics, wireguardMetrics, bfdMetrics, bmpMetrics)
}

var daemonMetrics = []metric{
	{"nvad_build_info", "The build that runs; always 1.", gauge, []string{"version", "commit", "go_version"},
		func(s *Sample, out emit) { out(1, s.Build.Version, s.Build.Commit, s.Build.GoVersion) }},
	{"nvad_in_sync", "1 once every neighbor has announced its routes after the start, or nvad has stopped waiting for it.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Engine.InSync)) }},
	{"nvad_healthy", "1 if this NVA should carry traffic by the conditions of [health], and so /healthz answers 200.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Healthy)) }},
	{"nvad_draining", "1 while this NVA moves its traffic away (nvactl drain).", gauge, nil,
		func(s *Sample, out emit) { out(one(!s.Engine.Drain.Since.IsZero())) }},
	{"nvad_config_reloads_total", "Reloads of the configuration, by result: applied or refused.", counter, []string{"result"},
		func(s *Sample, out emit) {
			out(float64(s.Reloads.Applied), "applied")
			out(float64(s.Reloads.Refused), "refused")
		}},
	{"nvad_config_last_reload_successful", "0 if the last reload was refused, so that nvad does not run the file.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Reloads.LastApplied)) }},
	{"nvad_config_last_reload_timestamp_seconds", "Unix time of the last reload; absent if there was none.", gauge, nil,
		func(s *Sample, out emit) {
			if !s.Reloads.Last.IsZero() {
				out(unix(s.Reloads.Last))
			}
		}},
	{"nvad_degraded", "Things that nvad lacks at present and tries to get back, by kind: configuration (it runs another one than it should), " +
		"history (not on disk), journal (events are not recorded), lock (nothing keeps a second nvad out), listen (ports and sockets). nvactl status says why.", gauge, []string{"kind"},
		func(s *Sample, out emit) {
			for _, kind := range Degradations {
				out(float64(s.Degraded[kind]), kind)
			}
		}},
	{"nvad_azure_poll_timestamp_seconds", "Unix time of Azure's last answer to a poll; absent if there was none (azure.poll).", gauge, nil,
		func(s *Sample, out emit) {
			if !s.Azure.Taken.IsZero() {
				out(unix(s.Azure.Taken))
			}
		}},
	{"nvad_azure_poll_failed", "1 if the last poll of Azure failed; nvactl status says why.", gauge, nil,
		func(s *Sample, out emit) { out(one(s.Azure.Failed)) }},
	{"nvad_azure_findings", "Errors and warnings of the last poll of Azure; nvactl azure diff says which.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Azure.Findings)) }},
	{"nvad_journal_events_total", "Events and states recorded in the journal.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Journal.Written)) }},
	{"nvad_journal_events_lost_total", "Events that the journal lost: they came too fast, or it could not be written.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Journal.Lost)) }},
	{"nvad_journal_bytes", "Size of the journal on disk.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Journal.Octets)) }},
	{"nvad_engine_events_waiting", "Session events that the engine has not handled yet.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Events)) }},
	{"nvad_memory_in_use_bytes", "Memory that the last garbage collection found in use, plus what the runtime itself needs.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Memory.InUse)) }},
	{"nvad_memory_budget_bytes", "Memory that nvad may use before it closes the session whose routes take most; absent if there is no budget.", gauge, nil,
		func(s *Sample, out emit) { out.ifAny(float64(s.Engine.Memory.Budget)) }},
}

var ribMetrics = []metric{
	{"nvad_rib_prefixes", "Prefixes in the Loc-RIB.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Prefixes)) }},
	{"nvad_rib_paths", "Paths of all neighbors, rejected ones too, and local ones.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Paths)) }},
	{"nvad_rib_prefixes_waiting", "Prefixes that wait for a decision, or to be advertised.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Engine.Backlog)) }},
}

// one returns 1 for true.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// stateNumber numbers states like bgpPeerState (RFC 4273).
func stateNumber(s speaker.State) float64 { return float64(s) + 1 }

func text(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// perNeighbor are the labels of every metric of a neighbor; more may follow.
var perNeighbor = []string{"neighbor", "peer_group"}

func withNeighbor(more ...string) []string { return append(perNeighbor[:2:2], more...) }

// eachNeighbor reads a value of every configured neighbor. Its labels follow those of perNeighbor.
func eachNeighbor(read func(*engine.NeighborSample, emit)) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		for i := range s.Engine.Neighbors {
			n := &s.Engine.Neighbors[i]
			if n.Range.IsValid() {
				continue
			}
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

var fibMetrics = []metric{
	{"nvad_fib_routes_wanted", "Routes that nvad wants in the kernel, static ones too.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Wanted)) }},
	{"nvad_fib_routes_installed", "Wanted routes that the kernel has as wanted; exact while none is pending.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Installed())) }},
	{"nvad_fib_routes_pending", "Routes that wait for their turn to be written or deleted.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Pending + s.Waiting)) }},
	{"nvad_fib_routes_failed", "Routes that the kernel rejected; nvad tries them again.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Failed)) }},
	{"nvad_fib_routes_refused", "Routes not installed because they would cut something off, such as a neighbor or a protected address.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Refused)) }},
	{"nvad_fib_routes_outranked", "Routes not installed because a connected route, or one that the operator set, has the same prefix.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Outranked)) }},
	{"nvad_fib_routes_conflicting", "Routes not installed because another program's route has the same prefix and metric.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Conflicts)) }},
	{"nvad_fib_routes_written_total", "Routes added or replaced in the kernel.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Written)) }},
	{"nvad_fib_routes_deleted_total", "Routes deleted from the kernel.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Deleted)) }},
	{"nvad_fib_write_errors_total", "Messages that the kernel rejected.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Failures)) }},
	{"nvad_fib_nexthop_groups", "Next-hop groups in the kernel.", gauge, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Groups)) }},
	{"nvad_fib_nexthop_group_swaps_total", "Groups replaced under their routes: failovers and returns.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Moved)) }},
	{"nvad_fib_compares_total", "Full comparisons with the kernel's table.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Compares)) }},
	{"nvad_kernel_repairs_total", "Objects that another program removed or changed and nvad restored, by kind: route, tunnel, nat, nic or sysctl. Sysctls set at the start count too.",
		counter, []string{"object"},
		func(s *Sample, out emit) {
			out(float64(s.Plane.Repairs), "route")
			out(float64(s.Plane.TunnelRepairs), "tunnel")
			out(float64(s.Plane.NATRepairs), "nat")
			out(float64(s.Plane.NICRepairs), "nic")
			out(float64(s.Plane.SysctlRepairs), "sysctl")
		}},
	{"nvad_kernel_events_total", "Notifications of the kernel.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.Events)) }},
	{"nvad_kernel_events_lost_total", "How often notifications of the kernel were lost because nvad was too slow; each time costs a full comparison.", counter, nil,
		func(s *Sample, out emit) { out(float64(s.Plane.LostEvents)) }},
}

// eachTunnel reads a value of every tunnel.
func eachTunnel(read func(*tunnel.Status) float64) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		for i := range s.Tunnels {
			out(read(&s.Tunnels[i]), s.Tunnels[i].Name)
		}
	}
}

var perTunnel = []string{"tunnel"}

var tunnelMetrics = []metric{
	{"nvad_tunnel_up", "1 if the tunnel is up: its device, and for WireGuard its peer.", gauge, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return one(t.State == "up") })},
	{"nvad_tunnel_mtu_bytes", "MTU of the device; 0 if there is none.", gauge, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return float64(t.Actual) })},
	{"nvad_tunnel_mtu_too_large", "1 if large packets are known not to get through.", gauge, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return one(t.Warning != "") })},
	{"nvad_tunnel_receive_packets_total", "Packets received.", counter, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return float64(t.Stats.RxPackets) })},
	{"nvad_tunnel_transmit_packets_total", "Packets sent.", counter, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return float64(t.Stats.TxPackets) })},
	{"nvad_tunnel_receive_bytes_total", "Bytes received.", counter, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return float64(t.Stats.RxBytes) })},
	{"nvad_tunnel_transmit_bytes_total", "Bytes sent.", counter, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return float64(t.Stats.TxBytes) })},
	{"nvad_tunnel_receive_errors_total", "Packets received in error or dropped.", counter, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return float64(t.Stats.RxErrors + t.Stats.RxDropped) })},
	{"nvad_tunnel_transmit_errors_total", "Packets not sent: errors and drops.", counter, perTunnel,
		eachTunnel(func(t *tunnel.Status) float64 { return float64(t.Stats.TxErrors + t.Stats.TxDropped) })},
}

// eachPeer reads a value of the peer of every WireGuard tunnel.
func eachPeer(read func(*tunnel.PeerState) float64) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		for i := range s.Tunnels {
			if t := &s.Tunnels[i]; t.WireGuard != nil {
				out(read(&t.Peer), t.Name)
			}
		}
	}
}

var wireguardMetrics = []metric{
	{"nvad_wireguard_last_handshake_seconds", "Time of the last handshake with the peer, in seconds since 1970. Absent if there was none.", gauge, perTunnel,
		func(s *Sample, out emit) {
			for i := range s.Tunnels {
				if t := &s.Tunnels[i]; t.WireGuard != nil && !t.Peer.LastHandshake.IsZero() {
					out(float64(t.Peer.LastHandshake.Unix()), t.Name)
				}
			}
		}},
	{"nvad_wireguard_receive_bytes_total", "Encrypted bytes received from the peer.", counter, perTunnel,
		eachPeer(func(p *tunnel.PeerState) float64 { return float64(p.RxBytes) })},
	{"nvad_wireguard_transmit_bytes_total", "Encrypted bytes sent to the peer.", counter, perTunnel,
		eachPeer(func(p *tunnel.PeerState) float64 { return float64(p.TxBytes) })},
}

// eachBFD reads a value of every BFD session.
func eachBFD(read func(bfd.Status, emit)) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		for _, b := range s.BFD.Sessions {
			if s.dynamic(b.Key.Remote) {
				continue
			}
			neighbor := b.Key.Remote.String()
			read(b, func(v float64, labels ...string) { out(v, append([]string{neighbor}, labels...)...) })
		}
	}
}

var bfdMetrics = []metric{
	{"nvad_bfd_up", "1 if the BFD session is up.", gauge, []string{"neighbor"},
		eachBFD(func(b bfd.Status, out emit) { out(one(b.State == bfd.Up)) })},
	{"nvad_bfd_flaps_total", "How often the BFD session has left Up.", counter, []string{"neighbor"},
		eachBFD(func(b bfd.Status, out emit) { out(float64(b.Flaps)) })},
	{"nvad_bfd_packets_total", "BFD packets, by direction (received, sent).", counter, []string{"neighbor", "direction"},
		eachBFD(func(b bfd.Status, out emit) {
			out(float64(b.PacketsIn), "received")
			out(float64(b.PacketsOut), "sent")
		})},
	{"nvad_bfd_detection_time_seconds", "Time without a packet after which the neighbor is down; 0 before the first one.", gauge, []string{"neighbor"},
		eachBFD(func(b bfd.Status, out emit) { out(b.DetectionTime.Seconds()) })},
	{"nvad_bfd_discards_total", "BFD packets that no session accepted: from elsewhere, forged or malformed (daemon.log-level = \"debug\" says why).", counter, nil,
		func(s *Sample, out emit) {
			total := uint64(0)
			for _, n := range s.BFD.Discards {
				total += n
			}
			out(float64(total))
		}},
	{"nvad_bfd_lateness_seconds", "The longest time by which nvad itself was late with BFD since the start; it gave the neighbors that much more time.", gauge, nil,
		func(s *Sample, out emit) { out(s.BFD.Lateness.Seconds()) }},
}
