package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Numbers that have no key of their own.
const (
	// routeServerASN is the ASN of every Azure Route Server, mseeASN that of
	// every Microsoft Enterprise Edge.
	routeServerASN = 65515
	mseeASN        = 12076
	// serverSubnetBits is the length of the smallest RouteServerSubnet.
	serverSubnetBits = 27
	// routeServerHoldTime is what both propose.
	routeServerHoldTime = 180 * time.Second
	// mseeBFDInterval and mseeBFDMultiplier are what an MSEE has configured.
	mseeBFDInterval   = 300 * time.Millisecond
	mseeBFDMultiplier = 3
	// azureRouteLimit is how many routes a Route Server takes of one neighbor,
	// and a circuit with private peering, SKU Standard, of one side; one more
	// ends the session.
	azureRouteLimit = 4000
	// azureTableLimit is how many routes a Route Server holds in all, and so the
	// most that it sends, or an NVA that peers with it passes on. An MSEE sends
	// fewer: 1,000 of each gateway.
	azureTableLimit = 10000
	// seqStep is between the numbers of rules and clauses that give none, as
	// in FRR.
	seqStep = 5
)

// Azure is what the platform is asked while the NVA runs.
type Azure struct {
	ScheduledEvents bool // drain before maintenance, and approve it
}

var azureTable = tomlfile.Single[Config, Azure]{
	Name: "azure", Doc: "What Azure's metadata service is asked while nvad runs.",
	Of: func(c *Config) *Azure { return &c.Azure }, Fields: azureFields,
}

var azureFields = []tomlfile.Field[Azure]{
	{
		Key: "scheduled-events",
		Doc: "Watch for maintenance of this VM: drain before it is rebooted, moved, evicted or frozen, keep BFD quiet through " +
			"a freeze, and let Azure begin once drained.",
		Bind: func(a *Azure) tomlfile.Value { return tomlfile.Bool(&a.ScheduledEvents) },
	},
}

// Drain is how the NVA takes leave of its traffic.
type Drain struct {
	Prepends int           // of the own ASN, towards eBGP neighbors
	Hold     time.Duration // until traffic is taken to have moved
}

var defaultDrain = Drain{Prepends: 5, Hold: 30 * time.Second} // Azure delays a second change of a VNet's routes by as much

var drainTable = tomlfile.Single[Config, Drain]{
	Name: "drain", Doc: "Leave of all traffic, before maintenance (nvactl drain).",
	Of: func(c *Config) *Drain { return &c.Drain }, Fields: drainFields,
}

var drainFields = []tomlfile.Field[Drain]{
	{
		Key: "prepends", Impact: SoftRefresh,
		Doc: "How often eBGP neighbors see the own ASN on top of the path during a drain: for Azure Route Server, " +
			"the shorter path wins. All neighbors see GRACEFUL_SHUTDOWN (RFC 8326), iBGP ones LOCAL_PREF 0.",
		Bind: func(d *Drain) tomlfile.Value { return tomlfile.Number(&d.Prepends, 0, 32) },
	},
	{
		Key:  "hold",
		Doc:  "Seconds from the beginning of a drain until traffic is taken to have moved: \"nvactl drain --wait\" returns.",
		Bind: func(d *Drain) tomlfile.Value { return tomlfile.Seconds(&d.Hold, 0, 3600, nil) },
	},
}

// IsRouteServer reports whether n is taken for an instance of an Azure Route
// Server: AS 65515, more than one hop away.
func (c *Config) IsRouteServer(n *Neighbor) bool {
	return n.RemoteASN == routeServerASN && n.OwnASN(c) != routeServerASN && n.EBGPMultihop > 1 && n.Address.Is4()
}

// ServerSubnets is what RouteServerSubnet may be, for an instance at a: a subnet
// of Azure's /27 at least, at whose begin the instances are.
func ServerSubnets(a netip.Addr) (out []netip.Prefix) {
	smallest, err := a.Prefix(serverSubnetBits)
	if err != nil {
		return nil
	}
	for bits := serverSubnetBits; bits >= 24; bits-- {
		if p := netip.PrefixFrom(smallest.Addr(), bits); p == p.Masked() {
			out = append(out, p)
		}
	}
	return out
}

// azureReserved is the 16-bit ASNs that Azure keeps for itself or that IANA
// reserves: a Route Server refuses them from an NVA.
var azureReserved = [][2]uint32{
	{8074, 8075}, {12076, 12076}, {23456, 23456}, {64496, 64511},
	{65515, 65515}, {65517, 65520}, {65535, 65551},
}

// azureASN reports an own ASN with which a Route Server does not peer. A
// neighbor of AS 65515 is taken for one.
func (v *checker) azureASN(key string, n *Neighbor) {
	own := n.OwnASN(v.cfg)
	if n.RemoteASN != routeServerASN || own == 0 {
		return
	}
	var msg string
	for _, r := range azureReserved {
		if own >= r[0] && own <= r[1] {
			msg = fmt.Sprintf("Azure Route Server (AS %d) does not peer with AS %d, which is reserved", routeServerASN, own)
		}
	}
	if msg == "" && own > tomlfile.MaxUint16 {
		msg = fmt.Sprintf("Azure Route Server (AS %d) peers with 16-bit ASNs only, got %d", routeServerASN, own)
	}
	switch {
	case msg == "":
	case n.LocalASN == 0:
		v.fail("asn", "%s", msg)
	default:
		v.fault(key, n, []string{"local-asn"}, "%s", msg)
	}
}
