// Package boot holds the test of an NVA's whole life in Azure, as far as it can be
// had without Azure: the two hubs of the lab, in which both NVAs are machines that
// boot systemd, run cloud-init with the user-data of configs/cloud-init, fetch the
// Debian package from a server in their VNet, and route; then one of them is
// rebooted, upgraded and killed under traffic.
//
// In place of Azure's, cloud-init has a NoCloud seed, with the network's settings
// that Azure would give by DHCP. The metadata service is an emulated one.
package boot
