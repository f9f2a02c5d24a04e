// Package boot tests an NVA's whole life in Azure, as far as that is possible without Azure.
// It uses the two hubs of the lab. Both NVAs are machines that boot systemd, run cloud-init
// with the user-data of configs/cloud-init, fetch the Debian package from a server in their
// VNet, and route. With bootstrap.yaml they know no address: they ask the emulated Resource
// Manager, with the role of configs/azure. Then one of them is rebooted, upgraded and killed
// under traffic.
//
// In place of Azure's data source, cloud-init has a NoCloud seed with the network settings
// that Azure would provide by DHCP.
package boot
