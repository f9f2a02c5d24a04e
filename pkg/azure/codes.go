package azure

// Code names the cause of a Finding. Codes are stable: scripts compare them.
type Code string

// What Azure does with a prefix.
const (
	PrefixInVNetSpace    Code = "prefix-in-vnet-space"     // system routes win over it
	RouteServerSubnet    Code = "route-server-subnet"      // equal to RouteServerSubnet: ignored
	RouteServerASNInPath Code = "route-server-asn-in-path" // Route Server's loop check drops it
	UDRWins              Code = "udr-wins"                 // a user-defined route for the prefix leads elsewhere
	PropagationOff       Code = "propagation-off"          // a route table keeps BGP routes from a subnet
	ShorterPathElsewhere Code = "shorter-path-elsewhere"   // another NVA's path is shorter
	GatewayWins          Code = "gateway-wins"             // a gateway's route for the prefix is preferred
	NoAdvertise          Code = "no-advertise"             // the community keeps it from gateways and NVAs
	NextHopUnreachable   Code = "next-hop-unreachable"     // no VNet that Route Server serves has the next hop
	DefaultWithoutUDR    Code = "default-without-udr"      // the NVA's own packets follow its default route
	TunnelLoop           Code = "tunnel-loop"              // a tunnel's packets come back to the NVA
	InstancesDiffer      Code = "instances-differ"         // nvad sends the instances different routes
	NotLearned           Code = "not-learned"              // for no reason that could be found
	NotInjected          Code = "not-injected"             // for no reason that could be found
)

// Sessions and peers.
const (
	InstanceWithoutPeer       Code = "instance-without-peer"        // nvad has no neighbor for it
	NoConnection              Code = "no-connection"                // Route Server has no peer with the NVA's address
	PeerWrongASN              Code = "peer-wrong-asn"               // Route Server expects another ASN
	PeerWrongAddress          Code = "peer-wrong-address"           // one side names an address the other has not
	ASNRefused                Code = "asn-refused"                  // Azure accepts no peer with nvad's ASN
	NoRouteServer             Code = "no-route-server"              // no VNet that the NVA can reach has one
	SessionDown               Code = "session-down"                 // for no reason that Azure knows
	RouteServerNotProvisioned Code = "route-server-not-provisioned" // it, or its connection, is not in order
)

// Limits.
const (
	PeerLimit          Code = "peer-limit"            // 8 peers
	RoutesPerPeerLimit Code = "routes-per-peer-limit" // 4,000, counted twice when they are sent again
	RoutesTotalLimit   Code = "routes-total-limit"    // 10,000
	CircuitLimit       Code = "circuit-limit"         // 1,000 towards an ExpressRoute circuit
)

// VNets and gateways.
const (
	PeeringNotConnected       Code = "peering-not-connected"
	PeeringOutOfSync          Code = "peering-out-of-sync"
	PeeringNoAccess           Code = "peering-no-access"            // allowVirtualNetworkAccess is off
	PeeringNoForwardedTraffic Code = "peering-no-forwarded-traffic" // allowForwardedTraffic is off
	SpokeNoRemoteGateways     Code = "spoke-no-remote-gateways"     // so Route Server does not serve the spoke
	AppliancePeering          Code = "appliance-peering"            // a routing appliance needs both flags
	PeeringLeavesOutSubnet    Code = "peering-leaves-out-subnet"    // only parts of the VNets are peered
	VPNGatewayMode            Code = "vpn-gateway-mode"             // not active-active, or not AS 65515
	BranchToBranchOff         Code = "branch-to-branch-off"
	ECMPHopDead               Code = "ecmp-hop-dead" // Azure probes no next hop of an ECMP route
)

// The NVA's own NICs.
const (
	IPForwardingOff Code = "ip-forwarding-off"
	NSGDropsVXLAN   Code = "nsg-drops-vxlan"
	NSGDropsBFD     Code = "nsg-drops-bfd"
	NSGDropsBGP     Code = "nsg-drops-bgp"
	NoWayOut        Code = "no-way-out" // neither NAT nor a public address
)

// Codes lists every code.
var Codes = []Code{
	PrefixInVNetSpace, RouteServerSubnet, RouteServerASNInPath, UDRWins, PropagationOff, ShorterPathElsewhere, GatewayWins, NoAdvertise,
	NextHopUnreachable, DefaultWithoutUDR, TunnelLoop, InstancesDiffer, NotLearned, NotInjected,
	InstanceWithoutPeer, NoConnection, PeerWrongASN, PeerWrongAddress, ASNRefused, NoRouteServer, SessionDown, RouteServerNotProvisioned,
	PeerLimit, RoutesPerPeerLimit, RoutesTotalLimit, CircuitLimit,
	PeeringNotConnected, PeeringOutOfSync, PeeringNoAccess, PeeringNoForwardedTraffic, SpokeNoRemoteGateways, AppliancePeering,
	PeeringLeavesOutSubnet, VPNGatewayMode, BranchToBranchOff, ECMPHopDead,
	IPForwardingOff, NSGDropsVXLAN, NSGDropsBFD, NSGDropsBGP, NoWayOut,
}
