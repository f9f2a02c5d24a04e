// Package lab builds Azure in network namespaces: VNets with their subnets and
// peerings, Route Server, ExpressRoute gateways and circuits, VMs, and NVAs that
// run nvad, FRR or BIRD. It is what nvad's end-to-end tests run in and what
// `make lab` shows.
//
// Every VNet has one router namespace whose kernel routes are the effective
// routes of every NIC in the VNet. Nothing else forwards between NICs: ports are
// point-to-point, the router answers ARP for all addresses, so there is no
// multicast and no broadcast, as in Azure. The emulated control planes are
// processes of their own in namespaces of their own (packages under emulator).
//
// A lab owns everything that its prefix names: network namespaces, a state
// directory with sockets, logs and process files, and FRR's directories.
// Processes are only ever ended by the id and start time noted at their start.
package lab
