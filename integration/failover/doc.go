// Package failover measures how long traffic is lost when something fails: the link, the
// session or the whole of the preferred one of two NVAs, the next hops in the kernel, or nvad
// itself. It checks that nvad keeps its promises. FRR and BIRD go through the same failures in
// the same run, where they can, in the versions of integration/rivals.
//
//	go test ./integration/failover -run Outages -v -args -daemons nvad,frr10,bird3 -routes 1000,100000
//
// The flags are in failover_test.go; `make bench-failover` and `make restart`
// set them. docs/failover.md has the figures.
package failover
