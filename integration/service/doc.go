// Package service tests what is shipped: the Debian package, and nvad as a service of a booted
// machine. The tests cover installation, upgrade under traffic, removal and purge, a hung
// daemon, and changes by systemd-networkd.
//
// The machines are those of package machine. Each has a neighbor: a namespace beside it with
// the address 10.0.0.1, in which FRR or another nvad runs. What nvad does by itself is tested
// in package lifecycle.
package service
