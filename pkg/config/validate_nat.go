package config

import "net/netip"

// mostShifted is how many ports of a dnat may change their numbers one to one:
// each costs the kernel a rule.
const mostShifted = 256

// platform are Azure's addresses for the machine itself.
var platform = []netip.Addr{netip.AddrFrom4([4]byte{168, 63, 129, 16}), netip.AddrFrom4([4]byte{169, 254, 169, 254})}

func (v *checker) nat() {
	for i := range v.cfg.Masquerades {
		v.masquerade(i)
	}
	for i := range v.cfg.SNATs {
		v.snat(i)
	}
	for i := range v.cfg.DNATs {
		v.dnat(i)
	}
}

func (v *checker) masquerade(i int) {
	m := &v.cfg.Masquerades[i]
	key := v.src.elem("masquerade", i, m.Out)
	v.distinct("masquerade", "out", i, masqueradeName(m), func(j int) bool {
		return masqueradeName(&v.cfg.Masquerades[j]) == masqueradeName(m)
	})
	v.familyOf(key+".except-destinations", m.Source, m.ExceptDestinations)
	v.familyOf(key+".except-sources", m.Source, m.ExceptSources)
}

// familyOf reports the first of list that is not of source's address family.
func (v *checker) familyOf(key string, source netip.Prefix, list []netip.Prefix) {
	for _, p := range list {
		if p.IsValid() && source.IsValid() && p.Addr().Is4() != source.Addr().Is4() {
			v.fail(key, "%s is not of the address family of source, %s", p, source)
			return
		}
	}
}

func (v *checker) snat(i int) {
	s := &v.cfg.SNATs[i]
	key := v.src.elem("snat", i, s.Source)
	if !s.Source.IsValid() || !s.To.Addr.IsValid() {
		return
	}
	v.distinct("snat", "source", i, snatName(s), func(j int) bool { return snatName(&v.cfg.SNATs[j]) == snatName(s) })
	if s.To.Addr.Is4() != s.Source.Addr().Is4() {
		v.fail(key+".to", "%s is not of the address family of source, %s", s.To.Addr, s.Source)
	}
}

func (v *checker) dnat(i int) {
	d := &v.cfg.DNATs[i]
	key := v.src.elem("dnat", i, d.To)
	if !v.has(key+".in") && !v.has(key+".destination") {
		v.fail(key+".in", "required key is missing: in, or destination")
		return
	}
	v.distinct("dnat", "to", i, dnatName(d), func(j int) bool { return dnatName(&v.cfg.DNATs[j]) == dnatName(d) })
	if d.Destination.IsValid() && d.To.Addr.IsValid() && d.Destination.Is4() != d.To.Addr.Is4() {
		v.fail(key+".to", "%s is not of the address family of destination, %s", d.To.Addr, d.Destination)
	}
	for _, a := range platform {
		if d.Destination == a {
			v.fail(key+".destination", "%s belongs to Azure's platform and is never translated", a)
		}
	}
	v.dnatPorts(key, d)
}

// dnatPorts looks at a range to be mapped one to one.
func (v *checker) dnatPorts(key string, d *DNAT) {
	n := d.To.Ports.count()
	switch {
	case n <= 1 || d.To.Ports == d.Ports || !d.To.Addr.IsValid():
	case n != d.Ports.count():
		v.fail(key+".to", "%s is %d ports, but port has %d; give one port, or as many", d.To.Ports, n, d.Ports.count())
	case n > mostShifted:
		v.fail(key+".to", "%d ports change their numbers; at most %d can", n, mostShifted)
	}
}
