// Package service tests what is shipped: the Debian package, and nvad as a
// service of a booted machine, through installation, upgrade under traffic,
// removal and purge, hung and under systemd-networkd's feet.
//
// Its machines are those of package machine, each with an NVA as its neighbor: a
// namespace beside it with the address 10.0.0.1, in which FRR or another nvad
// runs. What nvad does by itself is the business of package lifecycle.
package service
