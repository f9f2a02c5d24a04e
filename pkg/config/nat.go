package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/nat"
)

var masqueradeTable = tomlfile.Array[Config, nat.Masquerade]{
	Key: "masquerade", ID: "out", New: defaultMasquerade,
	Doc: "Source NAT to a device's own address, one table each.",
	Of:  func(c *Config) *[]nat.Masquerade { return &c.Masquerades }, Name: masqueradeName, Fields: masqueradeFields,
}

var snatTable = tomlfile.Array[Config, nat.SNAT]{
	Key: "snat", ID: "source",
	Doc: "Source NAT to a given address, one table each. The first that matches applies, before any masquerade.",
	Of:  func(c *Config) *[]nat.SNAT { return &c.SNATs }, Name: snatName, Fields: snatFields,
}

var dnatTable = tomlfile.Array[Config, nat.DNAT]{
	Key: "dnat", ID: "to",
	Doc: "Destination NAT of packets that pass this NVA, one table each. The first that matches applies.",
	Of:  func(c *Config) *[]nat.DNAT { return &c.DNATs }, Name: dnatName, Fields: dnatFields,
}

// defaultMasquerade returns a masquerade without any key set.
func defaultMasquerade() nat.Masquerade {
	return nat.Masquerade{Source: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
}

func masqueradeFields(m *nat.Masquerade) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "out", Value: tomlfile.Text(&m.Out, tomlfile.Interface), Example: `"bond0"`, Required: true, Shown: true,
			Doc: "Device through which the packets leave. Its address replaces their source."},
		{Key: "source", Value: tomlfile.Prefix(&m.Source), Example: `"10.0.0.0/8"`, Shown: true,
			Doc: `Sources to replace. Default: all of IPv4; "::/0" is all of IPv6.`},
		{Key: "except-destinations", Value: tomlfile.Prefixes(&m.ExceptDestinations), Example: `["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]`, Shown: true,
			Doc: "Destinations that see the original source. 168.63.129.16 and 169.254.169.254 always do."},
		{Key: "except-sources", Value: tomlfile.Prefixes(&m.ExceptSources), Example: `["192.168.0.1/32"]`,
			Doc: "Sources to leave unchanged."},
	}
}

func snatFields(s *nat.SNAT) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "source", Value: tomlfile.Prefix(&s.Source), Example: `"10.20.0.0/16"`, Required: true, Shown: true,
			Doc: "Sources to replace."},
		{Key: "out", Value: tomlfile.Text(&s.Out, tomlfile.Interface), Example: `"eth0"`, Required: true, Shown: true,
			Doc: "Device through which the packets leave."},
		{Key: "to", Value: endpoint(&s.To), Example: `"10.0.0.4:1024-65535"`, Required: true, Shown: true,
			Doc: "New source: an address and, for TCP and UDP, the ports to choose from."},
	}
}

func dnatFields(d *nat.DNAT) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "in", Value: tomlfile.Text(&d.In, tomlfile.Interface), Example: `"eth0"`, Shown: true,
			Doc: "Device on which the packets arrive. Required unless destination is set."},
		{Key: "destination", Value: tomlfile.Address(&d.Destination, tomlfile.Unicast), Example: `"10.0.0.100"`, Shown: true,
			Doc: "Destination to replace."},
		{Key: "protocol", Value: tomlfile.WordFor(&d.Protocol, []string{"any", "tcp", "udp"}, nat.AnyProtocol, nat.TCP, nat.UDP), Example: `"tcp"`, Shown: true,
			Doc: `"tcp", "udp" or "any". If port is set, "any" means TCP and UDP. Default: "any".`},
		{Key: "port", Value: ports(&d.Ports), Example: "8080", Shown: true,
			Doc: `Destination port, or a range of ports ("8000-8009"). Default: all.`},
		{Key: "to", Value: endpoint(&d.To), Example: `"10.1.0.4:80"`, Required: true, Shown: true,
			Doc: "New destination: an address, and a port unless it stays the same. A range of ports is mapped one to one, and " +
				"must be as long as the range in port."},
	}
}

// masqueradeName returns what tells masquerades apart.
func masqueradeName(m *nat.Masquerade) string {
	if m.Source == defaultMasquerade().Source {
		return m.Out
	}
	return m.Out + " from " + m.Source.String()
}

func snatName(s *nat.SNAT) string { return s.Source.String() + " out " + s.Out }

// dnatName returns what a packet must match.
func dnatName(d *nat.DNAT) string {
	var words []string
	if d.In != "" {
		words = append(words, "in "+d.In)
	}
	if d.Destination.IsValid() {
		words = append(words, d.Destination.String())
	}
	return strings.Join(append(words, strings.TrimSpace(d.Protocol.String()+" "+d.Ports.String())), " ")
}

// mostShifted bounds the ports of a dnat that are mapped one to one to other numbers:
// each needs a rule in the kernel.
const mostShifted = 256

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
	key := v.src.Elem("masquerade", i, m.Out)
	v.distinct("masquerade", "out", i, masqueradeName(m), func(j int) bool {
		return masqueradeName(&v.cfg.Masquerades[j]) == masqueradeName(m)
	})
	v.familyOf(key+".except-destinations", m.Source, m.ExceptDestinations)
	v.familyOf(key+".except-sources", m.Source, m.ExceptSources)
}

// familyOf reports the first of list that is not in the address family of source.
func (v *checker) familyOf(key string, source netip.Prefix, list []netip.Prefix) {
	for _, p := range list {
		if p.IsValid() && source.IsValid() && p.Addr().Is4() != source.Addr().Is4() {
			v.fail(key, "%s is not in the address family of source %s", p, source)
			return
		}
	}
}

func (v *checker) snat(i int) {
	s := &v.cfg.SNATs[i]
	key := v.src.Elem("snat", i, s.Source)
	if !s.Source.IsValid() || !s.To.Addr.IsValid() {
		return
	}
	v.distinct("snat", "source", i, snatName(s), func(j int) bool { return snatName(&v.cfg.SNATs[j]) == snatName(s) })
	if s.To.Addr.Is4() != s.Source.Addr().Is4() {
		v.fail(key+".to", "%s is not in the address family of source %s", s.To.Addr, s.Source)
	}
}

func (v *checker) dnat(i int) {
	d := &v.cfg.DNATs[i]
	key := v.src.Elem("dnat", i, d.To)
	if !v.has(key+".in") && !v.has(key+".destination") {
		v.fail(key+".in", "required key is missing: set in, destination, or both")
		return
	}
	v.distinct("dnat", "to", i, dnatName(d), func(j int) bool { return dnatName(&v.cfg.DNATs[j]) == dnatName(d) })
	if d.Destination.IsValid() && d.To.Addr.IsValid() && d.Destination.Is4() != d.To.Addr.Is4() {
		v.fail(key+".to", "%s is not in the address family of destination %s", d.To.Addr, d.Destination)
	}
	if slices.Contains(platform, d.Destination) {
		v.fail(key+".destination", "%s belongs to Azure's platform and is never translated; use another address", d.Destination)
	}
	v.dnatPorts(key, d)
}

// dnatPorts checks a range of ports that is mapped one to one.
func (v *checker) dnatPorts(key string, d *nat.DNAT) {
	n := d.To.Ports.Count()
	switch {
	case n <= 1 || d.To.Ports == d.Ports || !d.To.Addr.IsValid():
	case d.Ports.Count() == 0:
		v.fail(key+".to", "%s has %d ports, but port is not set; set it to a range of the same length, or use one port", d.To.Ports, n)
	case n != d.Ports.Count():
		v.fail(key+".to", "%s has %d ports, but port has %d; use one port, or a range of the same length", d.To.Ports, n, d.Ports.Count())
	case n > mostShifted:
		v.fail(key+".to", "%d ports would be mapped to other numbers, which is possible for at most %d; use a shorter range, or the same numbers", n, mostShifted)
	}
}
