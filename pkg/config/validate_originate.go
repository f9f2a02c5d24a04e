package config

// originated looks at what nvad announces of its own.
func (v *checker) originated() {
	c := v.cfg
	for i, n := range c.Networks {
		v.distinct("network", "prefix", i, n.Prefix, func(j int) bool { return n.Prefix.IsValid() && c.Networks[j].Prefix == n.Prefix })
	}
	for i, a := range c.Aggregates {
		v.distinct("aggregate", "prefix", i, a.Prefix, func(j int) bool { return a.Prefix.IsValid() && c.Aggregates[j].Prefix == a.Prefix })
		if key := v.src.elem("aggregate", i, a.Prefix) + ".prefix"; a.Prefix.IsValid() && a.Prefix.IsSingleIP() {
			v.fail(key, "%s has no more specific prefixes to stand for", a.Prefix)
		}
	}
	for i, r := range c.Redistributes {
		v.distinct("redistribute", "source", i, r.Source, func(j int) bool { return r.Source != "" && c.Redistributes[j].Source == r.Source })
	}
}

// defaultOriginate looks at the default route that n is sent. A neighbor may
// switch off what its group asks for.
func (v *checker) defaultOriginate(key string, n *Neighbor) {
	if n.DefaultOriginateMap != "" && !n.DefaultOriginate && !v.has(key+".default-originate") {
		v.fault(key, n, []string{"default-originate-map"}, "default-originate-map needs default-originate = true")
	}
}
