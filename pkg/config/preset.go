package config

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// preset is what a kind of neighbor needs, by a word: the settings that a
// peer-group starts from, and the objects that they name, which bear the
// preset's own name.
type preset struct {
	name     string
	settings func(*Settings)
	paths    policy.ASPathList
	clauses  policy.RouteMap
}

// presets is every preset that there is.
var presets = []preset{routeServerPreset, mseePreset}

// routeServerPreset is Azure Route Server: AS 65515 behind the subnet's
// gateway, which drops every path that holds its own ASN and takes 4,000
// routes. What it is told came from another Route Server, which its path shows,
// or is originated here on purpose; all else is denied.
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

// mseePreset is the Microsoft Enterprise Edge of an ExpressRoute circuit with
// private peering, seen from the customer's side: on a connected /30, with BFD
// by default, and 4,000 routes of the Standard SKU. It does not get back what
// Azure told.
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

// presetNamed is nil if there is none of that name.
func presetNamed(name string) *preset {
	if i := slices.Index(presetNames(), name); i >= 0 {
		return &presets[i]
	}
	return nil
}

// presetSettings is what a peer-group starts from; name may be empty.
func presetSettings(name string) Settings {
	s := DefaultSettings()
	if p := presetNamed(name); p != nil {
		p.settings(&s)
	}
	return s
}

// addPresets gives cfg the objects of the presets that its groups use. An
// object of the same name in the file is a fault: two would answer to it.
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
	doc.Errors = append(doc.Errors, doc.Errorf(string(kind)+"."+name, "a preset in use has this name; choose another one"))
}

// usedPresets is the presets that groups of c name.
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

// fromPreset reports whether a list or route-map is a preset's, not the file's.
func (c *Config) fromPreset(name string) bool {
	return slices.ContainsFunc(usedPresets(c), func(p preset) bool { return p.name == name })
}

// Expanded is c without presets: what they stand for is written out. It does
// the same as c.
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

// sharedDomain is the loop domain of all neighbors of a group, or "auto" if
// they are of several or there are none.
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

// autoDomain is the loop domain that is named after the neighbor's subnet.
const autoDomain = "auto"

// domainOf is the name that "auto" stands for: that of the smallest subnet
// which Azure lets RouteServerSubnet be. Both instances are at its begin, so
// that they and all NVAs that peer with them derive the same name.
func domainOf(a netip.Addr) string {
	bits := serverSubnetBits
	if a.Is6() {
		bits = 64
	}
	subnet, err := a.Prefix(bits)
	if err != nil { // a is invalid, which has its own fault
		return ""
	}
	return "ars-" + subnet.Addr().String()
}
