package config

import (
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Masquerade gives packets that leave through a device its address.
type Masquerade struct {
	Out                string
	Source             netip.Prefix
	ExceptDestinations []netip.Prefix
	ExceptSources      []netip.Prefix
}

// SNAT gives packets from Source that leave through Out another source.
type SNAT struct {
	Source netip.Prefix
	Out    string
	To     Endpoint
}

// DNAT sends packets elsewhere. At least one of In and Destination is given.
type DNAT struct {
	In          string
	Destination netip.Addr
	Protocol    string // any, tcp, udp
	Ports       Ports
	To          Endpoint
}

var masqueradeTable = tomlfile.Array[Config, Masquerade]{
	Key: "masquerade", ID: "out", New: defaultMasquerade,
	Doc: "Sources hidden behind a device's address, in nvad's own nftables table; one table each.",
	Of:  func(c *Config) *[]Masquerade { return &c.Masquerades }, Name: masqueradeName, Fields: masqueradeFields,
}

var snatTable = tomlfile.Array[Config, SNAT]{
	Key: "snat", ID: "source",
	Doc: "Sources replaced by an address. Of these tables, and before any masquerade, the first that fits counts.",
	Of:  func(c *Config) *[]SNAT { return &c.SNATs }, Name: snatName, Fields: snatFields,
}

var dnatTable = tomlfile.Array[Config, DNAT]{
	Key: "dnat", ID: "to", New: defaultDNAT,
	Doc: "Destinations replaced, of what passes this NVA. The first table that fits counts.",
	Of:  func(c *Config) *[]DNAT { return &c.DNATs }, Name: dnatName, Fields: dnatFields,
}

// defaultMasquerade is what a masquerade has that sets nothing.
func defaultMasquerade() Masquerade {
	return Masquerade{Source: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
}

// defaultDNAT is what a dnat has that sets nothing.
func defaultDNAT() DNAT { return DNAT{Protocol: "any"} }

var masqueradeFields = []tomlfile.Field[Masquerade]{
	{
		Key: "out", Example: `"bond0"`, Required: true, Shown: true,
		Doc:  "Device that the packets leave through, and whose address they get.",
		Bind: func(m *Masquerade) tomlfile.Value { return tomlfile.Text(&m.Out, tomlfile.Interface) },
	},
	{
		Key: "source", Example: `"10.0.0.0/8"`, Shown: true,
		Doc:  `Sources that are hidden so. Default: all of IPv4; "::/0" is all of IPv6.`,
		Bind: func(m *Masquerade) tomlfile.Value { return tomlfile.Prefix(&m.Source) },
	},
	{
		Key: "except-destinations", Example: `["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]`, Shown: true,
		Doc:  "Destinations that see the source as it is. 168.63.129.16 and 169.254.169.254 always do.",
		Bind: func(m *Masquerade) tomlfile.Value { return tomlfile.Prefixes(&m.ExceptDestinations) },
	},
	{
		Key: "except-sources", Example: `["192.168.0.1/32"]`,
		Doc:  "Sources that are left as they are.",
		Bind: func(m *Masquerade) tomlfile.Value { return tomlfile.Prefixes(&m.ExceptSources) },
	},
}

var snatFields = []tomlfile.Field[SNAT]{
	{
		Key: "source", Example: `"10.20.0.0/16"`, Required: true, Shown: true,
		Doc:  "Sources to be replaced.",
		Bind: func(s *SNAT) tomlfile.Value { return tomlfile.Prefix(&s.Source) },
	},
	{
		Key: "out", Example: `"eth0"`, Required: true, Shown: true,
		Doc:  "Device that the packets leave through.",
		Bind: func(s *SNAT) tomlfile.Value { return tomlfile.Text(&s.Out, tomlfile.Interface) },
	},
	{
		Key: "to", Example: `"10.0.0.4:1024-65535"`, Required: true, Shown: true,
		Doc:  "Source that they get: an address, and the ports to choose from for TCP and UDP.",
		Bind: func(s *SNAT) tomlfile.Value { return endpoint(&s.To) },
	},
}

var dnatFields = []tomlfile.Field[DNAT]{
	{
		Key: "in", Example: `"eth0"`, Shown: true,
		Doc:  "Device that the packets come in by. Required unless destination is given.",
		Bind: func(d *DNAT) tomlfile.Value { return tomlfile.Text(&d.In, tomlfile.Interface) },
	},
	{
		Key: "destination", Example: `"10.0.0.100"`, Shown: true,
		Doc:  "Address that they are sent to.",
		Bind: func(d *DNAT) tomlfile.Value { return tomlfile.Address(&d.Destination, tomlfile.Unicast) },
	},
	{
		Key: "protocol", Example: `"tcp"`, Shown: true,
		Doc:  `"tcp", "udp" or "any"; with ports, "any" is these two.`,
		Bind: func(d *DNAT) tomlfile.Value { return tomlfile.OneOf(&d.Protocol, "any", "tcp", "udp") },
	},
	{
		Key: "port", Example: "8080", Shown: true,
		Doc:  `Port, or a range of them ("8000-8009"). Default: all.`,
		Bind: func(d *DNAT) tomlfile.Value { return ports(&d.Ports) },
	},
	{
		Key: "to", Example: `"10.1.0.4:80"`, Required: true, Shown: true,
		Doc: "Where they go instead: an address, and a port unless it stays the same. A range takes the ports of a range " +
			"as long, one to one.",
		Bind: func(d *DNAT) tomlfile.Value { return endpoint(&d.To) },
	},
}

// masqueradeName tells masquerades apart.
func masqueradeName(m *Masquerade) string {
	if m.Source == defaultMasquerade().Source {
		return m.Out
	}
	return m.Out + " from " + m.Source.String()
}

func snatName(s *SNAT) string { return s.Source.String() + " out " + s.Out }

// dnatName is what packets are told by.
func dnatName(d *DNAT) string {
	var words []string
	if d.In != "" {
		words = append(words, "in "+d.In)
	}
	if d.Destination.IsValid() {
		words = append(words, d.Destination.String())
	}
	return strings.Join(append(words, strings.TrimSpace(d.Protocol+" "+d.Ports.String())), " ")
}

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
	key := v.src.Elem("masquerade", i, m.Out)
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
	key := v.src.Elem("snat", i, s.Source)
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
	key := v.src.Elem("dnat", i, d.To)
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
