package routeserver

import (
	"net/netip"

	"github.com/nvad/nvad/integration/lab/emulator/router"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// noAdvertise is the well-known community NO_ADVERTISE.
const noAdvertise = "65535:65282"

func (c Config) router() router.Config {
	rc := router.Config{
		ASN:    ASN,
		ID:     c.Address,
		Listen: []netip.Addr{c.Address},
		Import: c.importRules(),
		Export: c.exportRules(),

		WireLog: true,
	}
	for _, nva := range c.NVAs {
		rc.Neighbors = append(rc.Neighbors, router.Neighbor{
			Address: nva.Address, ASN: nva.ASN, Passive: !c.Dial, Multihop: true, Limit: c.RouteLimit,
		})
	}
	if c.Gateway.IsValid() {
		rc.Neighbors = append(rc.Neighbors, router.Neighbor{Address: c.Gateway, ASN: ASN, Passive: true})
	}
	return rc
}

// importRules begins with the loop check: it precedes all else in Azure too.
// AS-path length is the only knob an NVA has, so a LOCAL_PREF that it sends is
// overwritten.
func (c Config) importRules() []router.Rule {
	rules := []router.Rule{
		{Name: "loop", RouteType: router.External, ASPath: "_65515_"},
		{Name: "own-subnet", RouteType: router.External, Prefix: c.Subnet},
		{Name: "nva", RouteType: router.External, LocalPref: 100, Accept: true},
	}
	if c.Gateway.IsValid() && c.Preference != sdn.PreferASPath {
		rules = append(rules, router.Rule{
			Name: "gateway", RouteType: router.Internal, LocalPref: gatewayPreference, Accept: true,
		})
	}
	return rules
}

// exportRules keeps no-advertise routes within the VNet, and with
// branch-to-branch off keeps NVAs and gateway apart. The gateway announces the
// VNet's own prefix itself.
func (c Config) exportRules() []router.Rule {
	rules := []router.Rule{{Name: "no-advertise", Community: noAdvertise}}
	if !c.Gateway.IsValid() {
		return rules
	}
	gateway := []netip.Addr{c.Gateway}
	rules = append(rules, router.Rule{Name: "vnet", Neighbors: gateway, RouteType: router.Local})
	if !c.BranchToBranch {
		rules = append(rules,
			router.Rule{Name: "nva-to-gateway", Neighbors: gateway},
			router.Rule{Name: "gateway-to-nva", RouteType: router.Internal})
	}
	return rules
}
