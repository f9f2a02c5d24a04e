// Package tunnels measures what a tunnel costs: throughput, processor time and delay through
// plain VXLAN, WireGuard, and VXLAN within WireGuard, between two nvads in network namespaces. The
// tunnels take turns, so that whatever else the machine does meets all of them.
//
//	go test ./integration/bench/tunnels -v -args -rounds 5 -time 5s
//
// `make bench-tunnel` runs it, and docs/performance.md has the figures.
package tunnels
