package azure

import (
	"net/netip"
	"time"
)

// Self describes nvad from its own side: the half of the comparison that Azure does not know.
type Self struct {
	ASN uint32 `json:"asn"`
	// Neighbors are those whose address is an instance of a Route Server, or that look
	// like one: AS 65515, more than one hop away.
	Neighbors []SelfNeighbor `json:"neighbors"`
	// Tunnels are the tunnels that cross the VNet.
	Tunnels []SelfTunnel `json:"tunnels,omitempty"`
	// BFD are the addresses of neighbors with BFD over several hops (UDP 4784) or one (UDP
	// 3784), whose packets cross the VNet outside tunnels.
	BFD []SelfBFD `json:"bfd,omitempty"`
	// Drained says that the operator has drained this NVA.
	Drained bool `json:"drained"`
}

// SelfNeighbor is a session of nvad with an instance of a Route Server.
type SelfNeighbor struct {
	Address     netip.Addr `json:"address"`
	LocalASN    uint32     `json:"local_asn"` // that nvad uses towards it
	Established bool       `json:"established"`
	State       string     `json:"state"`            // of the session, in RFC 4271's words
	Reason      string     `json:"reason,omitempty"` // why it is not up, as nvactl neighbors shows it
	// Since is when the session reached State; zero if it is not known.
	Since time.Time `json:"since,omitzero"`
	// Sent is its Adj-RIB-Out, Received its Adj-RIB-In before policy.
	Sent     []SelfRoute `json:"sent,omitempty"`
	Received []SelfRoute `json:"received,omitempty"`
}

// SelfRoute is a route in the Adj-RIB-In or Adj-RIB-Out.
type SelfRoute struct {
	Prefix  netip.Prefix `json:"prefix"`
	NextHop netip.Addr   `json:"next_hop"`
	ASPath  []uint32     `json:"as_path,omitempty"`
	// NoAdvertise says that the route has that community (RFC 1997): Route Server puts it
	// into the VNets and passes it to no gateway and no other NVA.
	NoAdvertise bool `json:"no_advertise,omitempty"`
	// Since is when nvad received the route that it sends; zero if it is not known. It was
	// sent no earlier, so a young one may not have arrived everywhere in Azure.
	Since time.Time `json:"since,omitzero"`
}

// SelfTunnel is a tunnel's outer side.
type SelfTunnel struct {
	Name    string       `json:"name"`
	Port    uint16       `json:"port"`  // UDP
	Local   netip.Addr   `json:"local"` // invalid: the kernel chooses
	Remotes []netip.Addr `json:"remotes,omitempty"`
}

// SelfBFD is a BFD session outside tunnels.
type SelfBFD struct {
	Address netip.Addr `json:"address"`
	Port    uint16     `json:"port"`
}
