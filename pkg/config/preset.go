package config

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// preset sets everything that a kind of neighbor needs: the settings of a peer-group, and
// the list and route-map that these refer to, which have the name of the preset.
type preset struct {
	name     string
	settings func(*Settings)
	paths    policy.ASPathList
	clauses  policy.RouteMap
}

// presets lists all presets.
var presets = []preset{routeServerPreset, mseePreset}

// routeServerPreset is for Azure Route Server: AS 65515 behind the subnet's gateway. It
// drops paths with its own ASN, and closes the session after 4,000 routes. So it is sent
// the routes of other Route Servers, with all ASNs overwritten, and originated prefixes;
// all else is denied.
var routeServerPreset = preset{
	name: "azure-route-server",
	settings: func(s *Settings) {
		s.RemoteASN = routeServerASN
		s.EBGPMultihop = 255
		s.HoldTime = routeServerHoldTime
		s.Domain = autoDomain
		s.MaximumPrefixOut, s.MaximumPrefixOutCount = azureRouteLimit, CountIncoming
		s.Import = policy.Chain{Accept: true, DenyASNs: policy.Reserved} // on-premises ASNs are private
		s.Export = policy.Chain{Accept: true, RouteMap: "azure-route-server"}
	},
	paths: policy.ASPathList{{Seq: 5, Permit: true, Regexp: "_65515_"}},
	clauses: policy.RouteMap{
		{Seq: 5, Permit: true, Match: policy.Match{ASPathList: "azure-route-server"}, Set: policy.Set{ASPathReplace: "any"}},
		{Seq: 10, Permit: true, Match: policy.Match{Source: "network"}},
		{Seq: 15, Permit: true, Match: policy.Match{Source: "aggregate"}},
	},
}

// mseePreset is for the Microsoft Enterprise Edge of an ExpressRoute circuit with private
// peering, from the customer's side: on a connected /30, with BFD, and at most 4,000
// routes (Standard SKU). It is not sent routes that came from Azure.
var mseePreset = preset{
	name: "azure-msee",
	settings: func(s *Settings) {
		s.RemoteASN = mseeASN
		s.HoldTime = routeServerHoldTime
		s.BFD = BFD{Enabled: true, MinTx: mseeBFDInterval, MinRx: mseeBFDInterval, Multiplier: mseeBFDMultiplier}
		s.MaximumPrefixOut = azureRouteLimit
		s.Import = policy.Chain{Accept: true, DenyASNs: policy.Reserved}
		s.Export = policy.Chain{Accept: true, ASPathList: "azure-msee"}
	},
	paths: policy.ASPathList{
		{Seq: 5, Regexp: "_65515_"}, {Seq: 10, Regexp: "_12076_"}, {Seq: 15, Permit: true, Regexp: ".*"},
	},
}

func presetNames() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}

// presetSettings returns the settings that a peer-group is based on; name may be empty.
func presetSettings(name string) Settings {
	s := DefaultSettings()
	if i := slices.Index(presetNames(), name); i >= 0 {
		presets[i].settings(&s)
	}
	return s
}

// addPresets adds the lists and route-maps of the presets that groups of cfg use. If the
// file has one of the same name, that is a fault.
func addPresets(cfg *Config, doc *tomlfile.Document) {
	lib := &cfg.Policies
	for _, p := range usedPresets(cfg) {
		if _, taken := lib.ASPathLists[p.name]; taken {
			nameTaken(doc, policy.KindASPathList, p.name)
		}
		if _, taken := lib.RouteMaps[p.name]; taken {
			nameTaken(doc, policy.KindRouteMap, p.name)
		}
		if lib.ASPathLists == nil {
			lib.ASPathLists = map[string]policy.ASPathList{}
		}
		lib.ASPathLists[p.name] = p.paths
		if p.clauses == nil {
			continue
		}
		if lib.RouteMaps == nil {
			lib.RouteMaps = map[string]policy.RouteMap{}
		}
		lib.RouteMaps[p.name] = p.clauses
	}
}

func nameTaken(doc *tomlfile.Document, kind policy.Kind, name string) {
	doc.Errors = append(doc.Errors, doc.Errorf(string(kind)+"."+name, "this name belongs to a preset that a peer-group uses; choose another name"))
}

// usedPresets returns the presets that groups of c use.
func usedPresets(c *Config) []preset {
	var out []preset
	for _, p := range presets {
		for _, g := range c.Groups {
			if g.Preset == p.name {
				out = append(out, p)
				break
			}
		}
	}
	return out
}

// fromPreset reports whether a list or route-map comes from a preset.
func (c *Config) fromPreset(name string) bool {
	return slices.ContainsFunc(usedPresets(c), func(p preset) bool { return p.name == name })
}

// Expanded returns a configuration that does the same as c without presets: all that they
// set is written out.
func (c *Config) Expanded() *Config {
	out := *c
	out.Groups = make(map[string]Group, len(c.Groups))
	for name, g := range c.Groups {
		g.Preset, g.Listed = "", nil
		if g.Domain == autoDomain {
			g.Domain = c.sharedDomain(name)
		}
		out.Groups[name] = g
	}
	return &out
}

// sharedDomain returns the loop domain that all neighbors of a group share; "auto" if they
// have several or there are none.
func (c *Config) sharedDomain(group string) string {
	shared := ""
	for _, n := range c.Neighbors {
		switch {
		case n.PeerGroup != group:
		case shared != "" && n.Domain != shared:
			return autoDomain
		default:
			shared = n.Domain
		}
	}
	if shared == "" {
		return autoDomain
	}
	return shared
}

// autoDomain stands for a loop domain named after the neighbor's subnet.
const autoDomain = "auto"

// domainOf returns the name that "auto" stands for, made of the smallest subnet that
// Azure accepts as RouteServerSubnet. Both instances are at its start, so all NVAs that
// peer with either of them derive the same name.
func domainOf(a netip.Addr) string {
	bits := serverSubnetBits
	if a.Is6() {
		bits = 64
	}
	subnet, err := a.Prefix(bits)
	if err != nil { // a is invalid, which is reported elsewhere
		return ""
	}
	return "ars-" + subnet.Addr().String()
}
