package metrics

import (
	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/tunnel"
)

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
	{"nvad_tunnel_up", "1 if the VXLAN device is up.", gauge, perTunnel,
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

// eachBFD reads a value of every BFD session.
func eachBFD(read func(bfd.Status, emit)) func(*Sample, emit) {
	return func(s *Sample, out emit) {
		for _, b := range s.BFD.Sessions {
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
