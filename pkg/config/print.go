package config

import (
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// Print returns the normalised form of cfg: keys in a fixed order, without those
// that have their default or that a neighbor inherits. It parses to an equal
// Config, unless redact hides the passwords. What a preset brings is left out; see
// [Config.Expanded].
func Print(cfg *Config, redact bool) []byte {
	p := &tomlfile.Printer{Redact: redact}
	base := Default()
	for _, t := range tables {
		t.Print(p, cfg, base)
	}
	printGroups(p, cfg)
	printNeighbors(p, cfg)
	printPolicies(p, cfg)
	if p.String() == "" {
		p.Section("[daemon]", nil) // a file without any key is refused
	}
	return []byte(p.String())
}

func printGroups(p *tomlfile.Printer, cfg *Config) {
	for _, name := range tomlfile.SortedKeys(cfg.Groups) {
		g := cfg.Groups[name]
		base := presetSettings(g.Preset)
		lines := p.Differing(groupFields(&g), groupFields(&Group{}))
		p.Section("[peer-group."+tomlfile.QuoteKey(name)+"]", append(lines, p.Differing(settingsFields(&g.Settings), settingsFields(&base))...))
	}
}

func printNeighbors(p *tomlfile.Printer, cfg *Config) {
	for _, n := range cfg.Neighbors {
		if slices.Contains(cfg.Groups[n.PeerGroup].Listed, n.Address) {
			continue
		}
		lines := p.Differing(neighborFields(&n), neighborFields(&Neighbor{}))
		base := cfg.settingsIfSilent(&n)
		if n.PasswordFile != "" {
			n.Password = "" // it was read from that file
		}
		p.Section("[[neighbor]]", append(lines, p.Differing(settingsFields(&n.Settings), settingsFields(&base))...))
	}
}

// settingsIfSilent returns the value that each setting of n would have if n set all the
// others, but not that one. Print leaves out the settings that equal it.
func (c *Config) settingsIfSilent(n *Neighbor) Settings {
	group := inherited(c, n.PeerGroup)
	probe := Neighbor{Address: n.Address, PeerGroup: n.PeerGroup, Settings: group}
	// Other settings are derived from these.
	probe.HoldTime, probe.RemoteASN, probe.RemoteType, probe.LocalASN = n.HoldTime, n.RemoteASN, n.RemoteType, n.LocalASN
	s := derived(c, probe)
	s.HoldTime, s.RemoteASN, s.RemoteType, s.LocalASN = group.HoldTime, group.RemoteASN, group.RemoteType, group.LocalASN
	return s
}

func printPolicies(p *tomlfile.Printer, cfg *Config) {
	for _, k := range listKinds {
		k.print(p, cfg)
	}
	for _, name := range tomlfile.SortedKeys(cfg.Policies.RouteMaps) {
		if cfg.fromPreset(name) {
			continue
		}
		var numbers numbering
		for _, clause := range cfg.Policies.RouteMaps[name] {
			base := policy.Clause{Seq: numbers.next(), Permit: !clause.Permit}
			numbers.take(clause.Seq)
			p.Section("[[route-map."+tomlfile.QuoteKey(name)+"]]", p.Differing(clauseFields(&clause), clauseFields(&base)))
		}
	}
}
