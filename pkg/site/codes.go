package site

// Code names the cause of a Finding. Codes are stable: scripts compare them.
type Code string

// Tunnels.
const (
	TunnelOneSided         Code = "tunnel-one-sided"         // only one NVA has it
	TunnelUpOneEnd         Code = "tunnel-up-one-end"        // for no other reason found here
	TunnelVNIDiffers       Code = "tunnel-vni-differs"       // each end drops the other's packets
	TunnelPortDiffers      Code = "tunnel-port-differs"      // packets arrive where nobody listens
	TunnelKeyDiffers       Code = "tunnel-key-differs"       // an end expects another key than the other has
	TunnelMTUDiffers       Code = "tunnel-mtu-differs"       // large packets pass in one direction only
	TunnelAddressesDiffer  Code = "tunnel-addresses-differ"  // the ends are in different subnets
	DuplicateTunnelAddress Code = "duplicate-tunnel-address" // two NVAs have the same one in a tunnel
)

// Sessions.
const (
	SessionOneSided   Code = "session-one-sided"   // only one NVA has the other as a neighbor
	SessionUpOneSide  Code = "session-up-one-side" // for no other reason found here
	SessionASNDiffers Code = "session-asn-differs" // remote-asn is not what the other NVA uses
	DuplicateRouterID Code = "duplicate-router-id" // in one AS
)

// Routes and NVAs.
const (
	PairPrefixMissing  Code = "pair-prefix-missing"  // one NVA of a hub lacks what another has
	PairConfigDiffers  Code = "pair-config-differs"  // NVAs of a hub would not do the same
	DrainedWithoutPair Code = "drained-without-pair" // nobody carries the traffic of a drained NVA
	SummaryLoop        Code = "summary-loop"         // two routes lead to each other's NVA
	VersionsDiffer     Code = "versions-differ"
	ClocksDiffer       Code = "clocks-differ"
)

// Codes lists every code.
var Codes = []Code{
	TunnelOneSided, TunnelUpOneEnd, TunnelVNIDiffers, TunnelPortDiffers, TunnelKeyDiffers, TunnelMTUDiffers, TunnelAddressesDiffer, DuplicateTunnelAddress,
	SessionOneSided, SessionUpOneSide, SessionASNDiffers, DuplicateRouterID,
	PairPrefixMissing, PairConfigDiffers, DrainedWithoutPair, SummaryLoop, VersionsDiffer, ClocksDiffer,
}
