package config

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// readConfig is the walk over the whole file.
func readConfig(t *table) *Config {
	cfg := Default()
	readFields(t, cfg, configFields)
	if sub := t.sub("daemon"); sub != nil {
		readFields(sub, &cfg.Daemon, daemonFields)
		sub.done()
	}
	if sub := t.sub("kernel"); sub != nil {
		readFields(sub, &cfg.Kernel, kernelFields)
		sub.done()
	}
	if sub := t.sub("limits"); sub != nil {
		readFields(sub, &cfg.Limits, limitsFields)
		sub.done()
	}
	if sub := t.sub("drain"); sub != nil {
		readFields(sub, &cfg.Drain, drainFields)
		sub.done()
	}
	if sub := t.sub("health"); sub != nil {
		readFields(sub, &cfg.Health, healthFields)
		sub.done()
	}
	if sub := t.sub("azure"); sub != nil {
		readFields(sub, &cfg.Azure, azureFields)
		sub.done()
	}
	if sub := t.sub("api"); sub != nil {
		readFields(sub, &cfg.API, apiFields)
		sub.done()
	}
	if sub := t.sub("metrics"); sub != nil {
		readFields(sub, &cfg.Metrics, metricsFields)
		sub.done()
	}
	cfg.Tunnels = readEach(t, "tunnel", "name", tunnelFields, defaultTunnel)
	cfg.NICs = readEach(t, "nic", "device", nicFields, zero[NIC])
	cfg.Statics = readEach(t, "static-route", "prefix", staticFields, zero[Static])
	cfg.Masquerades = readEach(t, "masquerade", "out", masqueradeFields, defaultMasquerade)
	cfg.SNATs = readEach(t, "snat", "source", snatFields, zero[SNAT])
	cfg.DNATs = readEach(t, "dnat", "to", dnatFields, defaultDNAT)
	cfg.Networks = readEach(t, "network", "prefix", networkFields, zero[Network])
	cfg.Aggregates = readEach(t, "aggregate", "prefix", aggregateFields, zero[Aggregate])
	cfg.Redistributes = readEach(t, "redistribute", "source", redistributeFields, zero[Redistribute])
	readNeighbors(t, cfg)
	cfg.Policies = readPolicies(t)
	addPresets(cfg, t.doc)
	t.done()
	return cfg
}

func zero[T any]() (v T) { return v }

// readEach reads an array of tables.
func readEach[T any](t *table, key, id string, fields []field[T], initial func() T) []T {
	var out []T
	for _, sub := range t.tables(key, id) {
		v := initial()
		readFields(sub, &v, fields)
		sub.done()
		out = append(out, v)
	}
	return out
}

// readNeighbors reads peer-groups, then neighbors upon them: the tables, then
// those that are only listed by a group.
func readNeighbors(t *table, cfg *Config) {
	r := neighborReader{cfg: cfg, groups: map[string]*table{}}
	if sub := t.sub("peer-group"); sub != nil {
		sub.each(r.group)
	}
	for _, sub := range t.tables("neighbor", "address") {
		r.neighbor(sub)
	}
	for _, name := range sortedKeys(r.groups) {
		r.listed(name)
	}
}

// neighborReader reads neighbors into cfg.
type neighborReader struct {
	cfg    *Config
	groups map[string]*table
}

func (r *neighborReader) group(name string, c cell) {
	checkNameOf(c, name)
	t, ok := c.table()
	if !ok {
		return
	}
	g := Group{Name: name}
	readFields(t, &g, groupFields)
	g.Settings = presetSettings(g.Preset)
	readFields(t, &g.Settings, settingsFields)
	t.done()
	if r.cfg.Groups == nil {
		r.cfg.Groups = map[string]Group{}
	}
	r.cfg.Groups[name], r.groups[name] = g, t
}

func (r *neighborReader) neighbor(t *table) {
	var n Neighbor
	readFields(t, &n, neighborFields)
	n.Settings = inherited(r.cfg, n.PeerGroup)
	readFields(t, &n.Settings, settingsFields)
	t.done()
	r.add(n, t)
}

// listed adds the neighbors that a group lists. What is wrong with the list was
// told when it was read.
func (r *neighborReader) listed(group string) {
	g := r.cfg.Groups[group]
	if len(g.Listed) == 0 {
		return
	}
	c, _ := r.groups[group].get(listKey)
	cells, _ := c.items("")
	left := slices.Clone(g.Listed) // one that is listed twice has its fault already
	for _, item := range cells {
		text, _ := item.val.(string)
		addr, err := netip.ParseAddr(text)
		i := slices.Index(left, addr)
		if err != nil || i < 0 {
			continue
		}
		left = slices.Delete(left, i, i+1)
		c.doc.element("neighbor", item)
		r.add(Neighbor{Address: addr, PeerGroup: group, Settings: g.Settings}, nil)
	}
}

// add completes a neighbor, which t gives unless it is nil.
func (r *neighborReader) add(n Neighbor, t *table) {
	given := func(key string) bool {
		group := r.groups[n.PeerGroup]
		return t != nil && t.has(key) || group != nil && group.has(key)
	}
	base := derived(r.cfg, n)
	n.Keepalive, n.Families, n.Domain = base.Keepalive, base.Families, base.Domain
	if !given("import") {
		n.Import = base.Import
	}
	if !given("export") {
		n.Export = base.Export
	}
	r.cfg.Neighbors = append(r.cfg.Neighbors, n)
}

// inherited is what a neighbor of a peer-group starts from.
func inherited(cfg *Config, group string) Settings {
	if g, ok := cfg.Groups[group]; ok {
		return g.Settings
	}
	return DefaultSettings()
}

// derived is n's settings, those filled in that have no fixed default.
func derived(cfg *Config, n Neighbor) Settings {
	s := n.Settings
	if s.Keepalive == 0 {
		s.Keepalive = s.HoldTime / 3
	}
	if s.Families == 0 {
		s.Families = route.IPv4
		if n.Address.Is6() {
			s.Families = route.IPv6
		}
	}
	if s.Domain == autoDomain {
		s.Domain = domainOf(n.Address)
	}
	if n.RemoteASN == n.OwnASN(cfg) {
		s.Import = orAccept(s.Import)
		s.Export = orAccept(s.Export)
	}
	return s
}

func orAccept(c policy.Chain) policy.Chain {
	if c == (policy.Chain{}) {
		c.Accept = true
	}
	return c
}

// OwnASN is the ASN that nvad shows the neighbor.
func (s *Settings) OwnASN(c *Config) uint32 {
	if s.LocalASN != 0 {
		return s.LocalASN
	}
	return c.ASN
}

// checkNameOf reports a table's or list's name that is none.
func checkNameOf(c cell, name string) {
	if err := checkName(name); err != nil {
		c.fail("%v", err)
	}
}
