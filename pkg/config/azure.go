package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Azure's numbers that no key sets.
const (
	// Every Azure Route Server has routeServerASN, every Microsoft Enterprise Edge
	// (MSEE) mseeASN.
	routeServerASN = 65515
	mseeASN        = 12076
	// The smallest RouteServerSubnet is a /27.
	serverSubnetBits = 27
	// Both propose a hold time of 180 seconds.
	routeServerHoldTime = 180 * time.Second
	// MSEEs run BFD with these settings.
	mseeBFDInterval   = 300 * time.Millisecond
	mseeBFDMultiplier = 3
	// A Route Server accepts this many routes from one neighbor, and a circuit with
	// private peering (SKU Standard) from one side; one more closes the session.
	azureRouteLimit = 4000
	// A Route Server holds this many routes in all. So neither it, nor an NVA that
	// passes its routes on, sends more. An MSEE sends fewer: 1,000 per gateway.
	azureTableLimit = 10000
)

// Azure says how Azure is asked while nvad runs.
type Azure struct {
	ScheduledEvents bool          // drain before maintenance, then approve it
	Poll            time.Duration // between two polls of Resource Manager; 0: none
}

// leastPoll keeps polls apart: one takes Azure up to minutes, and must end before the next.
const leastPoll = 300

var azureTable = tomlfile.Single[Config, Azure]{
	Name: "azure", Doc: "How Azure is asked while nvad runs.",
	Of: func(c *Config) *Azure { return &c.Azure }, Fields: azureFields,
}

func azureFields(a *Azure) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "scheduled-events", Value: tomlfile.Bool(&a.ScheduledEvents),
			Doc: "Watch Azure's scheduled events for this VM. Before it is rebooted, redeployed, evicted or frozen, nvad drains " +
				"and then approves the event; during a freeze it keeps BFD quiet."},
		{Key: "poll", Value: tomlfile.Seconds(&a.Poll, 0, 86400, checkPoll), Example: "600",
			Doc: "Seconds between two questions to Azure about what it does with this NVA's prefixes, at least 300; 0 asks never. " +
				"`nvactl explain` and `nvactl routes lookup` then show what Azure did last. `nvad-azure.timer` asks; " +
				"the VM's managed identity needs the role of `configs/azure/role-reader.json`."},
	}
}

func checkPoll(n int64) error {
	if n != 0 && n < leastPoll {
		return fmt.Errorf("want 0 (never) or at least %d seconds, as a poll may take Azure minutes, got %d", leastPoll, n)
	}
	return nil
}

// Drain says how the NVA gives away its traffic.
type Drain struct {
	Prepends int           // of this NVA's ASN, towards eBGP neighbors
	Hold     time.Duration // until traffic is assumed to have moved
}

var defaultDrain = Drain{Prepends: 5, Hold: 30 * time.Second} // Azure delays a second change of a VNet's routes by as much

var drainTable = tomlfile.Single[Config, Drain]{
	Name: "drain", Doc: "How this NVA gives away its traffic before maintenance (nvactl drain).",
	Of: func(c *Config) *Drain { return &c.Drain }, Fields: drainFields,
}

func drainFields(d *Drain) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "prepends", Value: tomlfile.Number(&d.Prepends, 0, 32), Impact: SoftRefresh,
			Doc: "How many times nvad prepends its own ASN towards eBGP neighbors during a drain: Azure Route Server prefers the " +
				"shorter path through another NVA. All neighbors see GRACEFUL_SHUTDOWN (RFC 8326), and iBGP neighbors LOCAL_PREF 0."},
		{Key: "hold", Value: tomlfile.Seconds(&d.Hold, 0, 3600, nil),
			Doc: `Seconds from the start of a drain until all traffic is assumed to have moved; then "nvactl drain --wait" returns.`},
	}
}

// IsRouteServer reports whether n looks like an instance of an Azure Route Server:
// AS 65515, over IPv4, more than one hop away.
func (c *Config) IsRouteServer(n *Neighbor) bool {
	return n.RemoteASN == routeServerASN && n.OwnASN(c) != routeServerASN && n.EBGPMultihop > 1 && n.Address.Is4()
}

// ServerSubnets returns the prefixes that RouteServerSubnet may have if an instance
// has address a. The subnet is a /27 or larger, and the instances are at its start.
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

// azureASN reports an ASN of this NVA with which a Route Server does not peer. Each
// neighbor with AS 65515 counts as one.
func (v *checker) azureASN(i int, n *Neighbor) {
	own := n.OwnASN(v.cfg)
	if n.RemoteASN != routeServerASN || own == 0 {
		return
	}
	var msg string
	switch {
	case azure.ReservedASN(own):
		msg = fmt.Sprintf("Azure Route Server (AS %d) does not peer with AS %d, which is reserved; use a private ASN such as 65001", routeServerASN, own)
	case own > tomlfile.MaxUint16:
		msg = fmt.Sprintf("Azure Route Server (AS %d) does not peer with the 32-bit AS %d; use a 16-bit ASN, here or in local-asn", routeServerASN, own)
	}
	switch {
	case msg == "":
	case n.LocalASN == 0:
		v.fail("asn", "%s", msg)
	default:
		v.fail(v.cfg.places(i, "local-asn"), "%s", msg)
	}
}
