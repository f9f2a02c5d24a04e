package config

import (
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
	if sub := t.sub("drain"); sub != nil {
		readFields(sub, &cfg.Drain, drainFields)
		sub.done()
	}
	cfg.Tunnels = readEach(t, "tunnel", "name", tunnelFields, defaultTunnel)
	cfg.Statics = readEach(t, "static-route", "prefix", staticFields, zero[Static])
	cfg.Masquerades = readEach(t, "masquerade", "out", masqueradeFields, defaultMasquerade)
	cfg.SNATs = readEach(t, "snat", "source", snatFields, zero[SNAT])
	cfg.DNATs = readEach(t, "dnat", "to", dnatFields, defaultDNAT)
	cfg.Networks = readEach(t, "network", "prefix", networkFields, zero[Network])
	cfg.Aggregates = readEach(t, "aggregate", "prefix", aggregateFields, zero[Aggregate])
	cfg.Redistributes = readEach(t, "redistribute", "source", redistributeFields, zero[Redistribute])
	readNeighbors(t, cfg)
	cfg.Policies = readPolicies(t)
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

// readNeighbors reads peer-groups, then neighbors upon them.
func readNeighbors(t *table, cfg *Config) {
	groups := map[string]*table{}
	if sub := t.sub("peer-group"); sub != nil {
		sub.each(func(name string, c cell) {
			checkNameOf(c, name)
			group, ok := c.table()
			if !ok {
				return
			}
			g := Group{Name: name, Settings: DefaultSettings()}
			readFields(group, &g.Settings, settingsFields)
			group.done()
			if cfg.Groups == nil {
				cfg.Groups = map[string]Group{}
			}
			cfg.Groups[name], groups[name] = g, group
		})
	}
	for _, sub := range t.tables("neighbor", "address") {
		cfg.Neighbors = append(cfg.Neighbors, readNeighbor(sub, cfg, groups))
	}
}

func readNeighbor(t *table, cfg *Config, groups map[string]*table) Neighbor {
	var n Neighbor
	readFields(t, &n, neighborFields)
	n.Settings = inherited(cfg, n.PeerGroup)
	readFields(t, &n.Settings, settingsFields)
	t.done()
	given := func(key string) bool {
		group := groups[n.PeerGroup]
		return t.has(key) || group != nil && group.has(key)
	}
	base := derived(cfg, n)
	n.Keepalive = base.Keepalive
	n.Families = base.Families
	if !given("import") {
		n.Import = base.Import
	}
	if !given("export") {
		n.Export = base.Export
	}
	return n
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
