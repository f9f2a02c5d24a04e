package azure

import "net/netip"

// Self is what nvad says of itself: the half of the comparison that Azure does not know.
type Self struct {
	ASN uint32
	// Neighbors are those whose address is an instance of a Route Server, or that look
	// like one: AS 65515, more than one hop away.
	Neighbors []SelfNeighbor
	// Tunnels are the tunnels that cross the VNet.
	Tunnels []SelfTunnel
	// BFD are the addresses of neighbors with BFD over several hops (UDP 4784) or one (UDP
	// 3784), whose packets cross the VNet outside tunnels.
	BFD []SelfBFD
	// Drained says that the operator has drained this NVA.
	Drained bool
}

// SelfNeighbor is a session of nvad with an instance of a Route Server.
type SelfNeighbor struct {
	Address     netip.Addr
	LocalASN    uint32 // that nvad uses towards it
	Established bool
	State       string // of the session, in RFC 4271's words
	Reason      string // why it is not up, as nvactl neighbors shows it
	// Sent is its Adj-RIB-Out, Received its Adj-RIB-In before policy.
	Sent, Received []SelfRoute
}

// SelfRoute is a route in the Adj-RIB-In or Adj-RIB-Out.
type SelfRoute struct {
	Prefix  netip.Prefix
	NextHop netip.Addr
	ASPath  []uint32
	// NoAdvertise says that the route has that community (RFC 1997): Route Server puts it
	// into the VNets and passes it to no gateway and no other NVA.
	NoAdvertise bool
}

// SelfTunnel is a tunnel's outer side.
type SelfTunnel struct {
	Name    string
	Port    uint16 // UDP
	Remotes []netip.Addr
}

// SelfBFD is a BFD session outside tunnels.
type SelfBFD struct {
	Address netip.Addr
	Port    uint16
}
