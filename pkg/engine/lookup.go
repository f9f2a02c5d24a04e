package engine

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// LookupView is what becomes of a packet for an address.
type LookupView struct {
	Address netip.Addr
	WayView
	// Tunnel is the VXLAN device that the packet goes into; nil: none.
	Tunnel *EncapsulationView
}

// WayView is one look-up in the kernel's table, and the route it came to.
type WayView struct {
	Fate     string // "unicast", "local", "blackhole", "no route" and other words of ip route
	Via      netip.Addr
	Device   string
	Source   netip.Addr   // that this machine's own packets have
	Prefix   netip.Prefix // of the route; invalid: none
	Protocol string       // who installed it: "bgp", "static" of nvad, else the kernel's name
	Own      bool         // nvad did
	Metric   uint32
	Neighbor netip.Addr // that nvad learned it from
	ASPath   route.ASPath
}

// EncapsulationView is the packet around the packet.
type EncapsulationView struct {
	Name    string
	VNI     uint32
	Source  netip.Addr
	Port    uint16
	MTU     int
	Learned bool // the device has learned which of its remotes it is
	Outer   []OuterView
}

// OuterView is where the outer packet goes to: one remote, or each of them.
type OuterView struct {
	Remote netip.Addr
	WayView
}
