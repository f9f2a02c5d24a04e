package config

import (
	"net/netip"
	"slices"
)

func (v *checker) tunnel(i int) {
	t := &v.cfg.Tunnels[i]
	key := v.src.elem("tunnel", i, t.Name)
	if t.Name != "" {
		v.distinct("tunnel", "name", i, t.Name, func(j int) bool { return v.cfg.Tunnels[j].Name == t.Name })
	}
	for j := range i {
		if o := v.cfg.Tunnels[j]; t.VNI != 0 && o.VNI == t.VNI && o.Port == t.Port && o.Name != t.Name {
			v.fail(key+".vni", "VNI %d with port %d is that of tunnel %s", t.VNI, t.Port, o.Name)
		}
	}
	v.tunnelEnds(key, t)
	v.tunnelAddresses(key, t)
	v.tunnelPeers(key, t)
	if most := t.MTU - 40; t.MTU > 0 && int(t.MSSClamp) > most {
		v.fail(key+".mss-clamp", "an MTU of %d has room for segments of %d at most", t.MTU, most)
	}
}

// tunnelEnds looks at the underlay.
func (v *checker) tunnelEnds(key string, t *Tunnel) {
	remotes, group := v.has(key+".remotes"), v.has(key+".group")
	device, local := v.has(key+".device"), v.has(key+".local")
	switch {
	case remotes && group:
		v.fail(key+".group", "remotes and group exclude each other")
	case !remotes && !group:
		v.fail(key+".remotes", "required key is missing: remotes, or a multicast group")
	}
	switch {
	case !device && !local:
		v.fail(key+".device", "required key is missing: device, or local")
	case group && !device:
		v.fail(key+".device", "required key is missing: a multicast group needs its device")
	case device && t.Device == t.Name:
		v.fail(key+".device", "a tunnel can't be its own underlay")
	}
	v.underlayFamily(key, t)
}

func (v *checker) underlayFamily(key string, t *Tunnel) {
	ends := t.underlay()
	for _, a := range ends {
		if a.Is4() != ends[0].Is4() {
			v.fail(key+".remotes "+key+".group", "%s and %s are of different address families", ends[0], a)
			return
		}
	}
	if slices.Contains(t.Remotes, t.Local) {
		v.fail(key+".remotes", "%s is the local address", t.Local)
	}
}

// underlay is the outer addresses that the tunnel names.
func (t *Tunnel) underlay() []netip.Addr {
	var out []netip.Addr
	for _, a := range append([]netip.Addr{t.Local, t.Group}, t.Remotes...) {
		if a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}

func (v *checker) tunnelAddresses(key string, t *Tunnel) {
	for _, p := range t.Addresses {
		for _, a := range t.underlay() {
			if p.Contains(a) {
				v.fail(key+".address", "%s covers the underlay address %s, whose packets would enter the tunnel", p, a)
			}
		}
		if p.Addr().Is6() && t.MTU > 0 && t.MTU < 1280 {
			v.fail(key+".mtu", "IPv6 needs an MTU of at least 1280, got %d", t.MTU)
		}
	}
}

// tunnelPeers: an address that nobody can have would guard nothing.
func (v *checker) tunnelPeers(key string, t *Tunnel) {
	for _, p := range t.Peers {
		own := func(a netip.Prefix) bool { return a.Addr() == p.Address }
		within := func(a netip.Prefix) bool { return a.Contains(p.Address) }
		switch {
		case !slices.Contains(t.Remotes, p.Remote):
			v.fail(key+".peers", "%s: %s is not one of remotes", p, p.Remote)
		case slices.ContainsFunc(t.Addresses, own):
			v.fail(key+".peers", "%s: %s is the tunnel's own address", p, p.Address)
		case !slices.ContainsFunc(t.Addresses, within):
			v.fail(key+".peers", "%s: %s is in no subnet of address", p, p.Address)
		}
	}
}

func (v *checker) static(i int) {
	s := &v.cfg.Statics[i]
	key := v.src.elem("static-route", i, s.Prefix)
	if !s.Prefix.IsValid() {
		return
	}
	v.distinct("static-route", "prefix", i, s.Prefix, func(j int) bool {
		o := v.cfg.Statics[j]
		return o.Prefix == s.Prefix && v.cfg.MetricOf(o) == v.cfg.MetricOf(*s)
	})
	via, device := v.has(key+".via"), v.has(key+".device")
	switch {
	case !via && !device && !s.Blackhole:
		v.fail(key+".via", "required key is missing: one of via, device and blackhole = true")
	case s.Blackhole && (via || device):
		v.fail(key+".blackhole", "a blackhole has neither via nor device")
	}
	if s.Via.IsValid() && s.Via.Is4() != s.Prefix.Addr().Is4() {
		v.fail(key+".via", "%s is not of the address family of %s", s.Via, s.Prefix)
	}
	if s.Via.IsValid() && !device && s.Prefix.IsSingleIP() && s.Prefix.Contains(s.Via) {
		v.fail(key+".via", "%s is reached through this route itself", s.Via)
	}
	if s.Source.IsValid() && s.Source.Is4() != s.Prefix.Addr().Is4() {
		v.fail(key+".source", "%s is not of the address family of %s", s.Source, s.Prefix)
	}
}
