package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// Print is the normalised form of cfg: keys in a fixed order, without those
// that have their default or that a neighbor inherits. What it writes parses
// to an equal Config; unless redact, which hides passwords. What a preset brings
// is not repeated; see [Config.Expanded].
func Print(cfg *Config, redact bool) []byte {
	p := &printer{cfg: cfg, redact: redact}
	printFields(p, "", cfg, Default(), configFields)
	printFields(p, "[daemon]", &cfg.Daemon, &Default().Daemon, daemonFields)
	printFields(p, "[kernel]", &cfg.Kernel, &Default().Kernel, kernelFields)
	printFields(p, "[limits]", &cfg.Limits, &Limits{}, limitsFields)
	printFields(p, "[drain]", &cfg.Drain, &Default().Drain, drainFields)
	printFields(p, "[health]", &cfg.Health, &Health{}, healthFields)
	printFields(p, "[azure]", &cfg.Azure, &Azure{}, azureFields)
	printFields(p, "[api]", &cfg.API, &API{}, apiFields)
	printFields(p, "[metrics]", &cfg.Metrics, &Metrics{}, metricsFields)
	initial := defaultTunnel()
	for i := range cfg.Tunnels {
		printFields(p, "[[tunnel]]", &cfg.Tunnels[i], &initial, tunnelFields)
	}
	for i := range cfg.NICs {
		printFields(p, "[[nic]]", &cfg.NICs[i], &NIC{}, nicFields)
	}
	for i := range cfg.Statics {
		printFields(p, "[[static-route]]", &cfg.Statics[i], &Static{}, staticFields)
	}
	p.nat()
	for i := range cfg.Networks {
		printFields(p, "[[network]]", &cfg.Networks[i], &Network{}, networkFields)
	}
	for i := range cfg.Aggregates {
		printFields(p, "[[aggregate]]", &cfg.Aggregates[i], &Aggregate{}, aggregateFields)
	}
	for i := range cfg.Redistributes {
		printFields(p, "[[redistribute]]", &cfg.Redistributes[i], &Redistribute{}, redistributeFields)
	}
	p.groups()
	p.neighbors()
	p.policies()
	if p.b.Len() == 0 {
		p.section("[daemon]", nil) // a file that says nothing is refused
	}
	return []byte(p.b.String())
}

type printer struct {
	cfg    *Config
	redact bool
	b      strings.Builder
}

// section is the header of a table, after an empty line, and its lines.
func (p *printer) section(header string, lines []string) {
	if p.b.Len() > 0 {
		p.b.WriteByte('\n')
	}
	if header != "" {
		p.b.WriteString(header + "\n")
	}
	for _, line := range lines {
		p.b.WriteString(line + "\n")
	}
}

// printFields writes a table, if a key of it differs from base's or it is one
// of an array.
func printFields[T any](p *printer, header string, v, base *T, fields []field[T]) {
	lines := differing(v, base, fields, p.redact)
	if len(lines) > 0 || strings.HasPrefix(header, "[[") {
		p.section(header, lines)
	}
}

// differing is the lines of the keys that v has other than base.
func differing[T any](v, base *T, fields []field[T], redact bool) []string {
	var out []string
	for _, f := range fields {
		s := f.bind(v).toml()
		if s == f.bind(base).toml() {
			continue
		}
		if _, isSecret := f.bind(v).(secret); isSecret && redact {
			s = hidden
		}
		out = append(out, f.key+" = "+s)
	}
	return out
}

func (p *printer) nat() {
	masquerade, dnat := defaultMasquerade(), defaultDNAT()
	for i := range p.cfg.Masquerades {
		printFields(p, "[[masquerade]]", &p.cfg.Masquerades[i], &masquerade, masqueradeFields)
	}
	for i := range p.cfg.SNATs {
		printFields(p, "[[snat]]", &p.cfg.SNATs[i], &SNAT{}, snatFields)
	}
	for i := range p.cfg.DNATs {
		printFields(p, "[[dnat]]", &p.cfg.DNATs[i], &dnat, dnatFields)
	}
}

func (p *printer) groups() {
	for _, name := range sortedKeys(p.cfg.Groups) {
		g := p.cfg.Groups[name]
		base := presetSettings(g.Preset)
		lines := differing(&g, &Group{}, groupFields, p.redact)
		p.section("[peer-group."+tomlKey(name)+"]", append(lines, differing(&g.Settings, &base, settingsFields, p.redact)...))
	}
}

func (p *printer) neighbors() {
	for _, n := range p.cfg.Neighbors {
		if slices.Contains(p.cfg.Groups[n.PeerGroup].Listed, n.Address) {
			continue
		}
		lines := differing(&n, &Neighbor{}, neighborFields, p.redact)
		base := p.cfg.settingsIfSilent(&n)
		if n.PasswordFile != "" {
			n.Password = "" // it is the file's to say
		}
		p.section("[[neighbor]]", append(lines, differing(&n.Settings, &base, settingsFields, p.redact)...))
	}
}

// settingsIfSilent is what each setting of n would be if n gave all the others
// but not that one.
func (c *Config) settingsIfSilent(n *Neighbor) Settings {
	group := inherited(c, n.PeerGroup)
	probe := Neighbor{Address: n.Address, PeerGroup: n.PeerGroup, Settings: group}
	// What the others are derived from.
	probe.HoldTime, probe.RemoteASN, probe.LocalASN = n.HoldTime, n.RemoteASN, n.LocalASN
	s := derived(c, probe)
	s.HoldTime, s.RemoteASN, s.LocalASN = group.HoldTime, group.RemoteASN, group.LocalASN
	return s
}

func (p *printer) policies() {
	lib := &p.cfg.Policies
	printLists(p, "prefix-list", lib.PrefixLists, prefixSeq, policy.PrefixRule.String)
	printLists(p, "as-path-list", ofFile(p.cfg, lib.ASPathLists), pathSeq, policy.ASPathRule.String)
	printLists(p, "community-list", lib.CommunityLists, communitySeq, policy.CommunityRule.String)
	printLists(p, "large-community-list", lib.LargeCommunityLists, communitySeq, policy.CommunityRule.String)
	printLists(p, "ext-community-list", lib.ExtCommunityLists, communitySeq, policy.CommunityRule.String)
	for _, name := range sortedKeys(ofFile(p.cfg, lib.RouteMaps)) {
		var numbers numbering
		for _, clause := range lib.RouteMaps[name] {
			base := policy.Clause{Seq: numbers.next(), Permit: !clause.Permit}
			numbers.take(clause.Seq)
			printFields(p, "[[route-map."+tomlKey(name)+"]]", &clause, &base, clauseFields)
		}
	}
}

// ofFile is lists without those of presets.
func ofFile[L any](cfg *Config, lists map[string]L) map[string]L {
	out := make(map[string]L, len(lists))
	for name, l := range lists {
		if !cfg.fromPreset(name) {
			out[name] = l
		}
	}
	return out
}

// printLists writes the lists of one kind. Rules are numbered only where a
// reader would number them otherwise.
func printLists[L ~[]R, R any](p *printer, key string, lists map[string]L, seq func(*R) *int, text func(R) string) {
	if len(lists) == 0 {
		return
	}
	var lines []string
	for _, name := range sortedKeys(lists) {
		var numbers numbering
		rules := make([]string, len(lists[name]))
		for i, rule := range lists[name] {
			n := seq(&rule)
			following := numbers.next()
			numbers.take(*n)
			if *n == following {
				*n = 0
			}
			rules[i] = quote(text(rule))
		}
		lines = append(lines, fmt.Sprintf("%s = %s", tomlKey(name), wrapped(rules)))
	}
	p.section("["+key+"]", lines)
}

// wrapped is an array on one line if that has room, otherwise one element a
// line.
func wrapped(elems []string) string {
	line := "[" + strings.Join(elems, ", ") + "]"
	if len(line) <= 80 {
		return line
	}
	return "[\n  " + strings.Join(elems, ",\n  ") + ",\n]"
}
