package nat

import "fmt"

// masqueradeChain is the chain of the i-th masquerade. Each has one of its own, so
// that what one of them excepts may still meet another.
func masqueradeChain(i int) string { return fmt.Sprintf("masquerade-%d", i+1) }

func (m *Masquerade) why() string { return "masquerade " + m.Out }

func (m *Masquerade) chain(i int) Chain {
	c := Chain{Name: masqueradeChain(i)}
	for _, p := range m.ExceptDestinations {
		c.Rules = append(c.Rules, Rule{Why: m.why() + " except", Destination: p, Do: Return})
	}
	for _, p := range m.ExceptSources {
		c.Rules = append(c.Rules, Rule{Why: m.why() + " except", Source: p, Do: Return})
	}
	c.Rules = append(c.Rules, Rule{Why: m.why(), Do: MasqueradeSource})
	return c
}

// rules gives the ports to TCP and UDP; what has none gets the address alone, as
// an ICMP identifier would be chosen among them otherwise.
func (s *SNAT) rules() []Rule {
	rule := Rule{Why: "snat " + s.Source.String(), Source: s.Source, Out: s.Out, Do: SourceTo, To: Endpoint{Addr: s.To.Addr}}
	if s.To.Ports == (Ports{}) {
		return []Rule{rule}
	}
	var list []Rule
	for _, p := range []Protocol{TCP, UDP} {
		r := rule
		r.Protocol, r.To = p, s.To
		list = append(list, r)
	}
	return append(list, rule)
}

// rules has one rule for each protocol that has ports, if ports are given.
func (d *DNAT) rules() []Rule {
	rule := Rule{Why: "dnat " + d.To.String(), In: d.In, Destination: single(d.Destination), Do: DestinationTo, To: d.To}
	protocols := []Protocol{d.Protocol}
	if d.Protocol == AnyProtocol && (d.Ports != Ports{} || d.To.Ports != Ports{}) {
		protocols = []Protocol{TCP, UDP}
	}
	var list []Rule
	for _, p := range protocols {
		rule.Protocol = p
		list = append(list, d.each(rule)...)
	}
	return list
}

// each maps a range of ports one to one. The kernel would choose any port of the
// range, so numbers that change need a rule each.
func (d *DNAT) each(rule Rule) []Rule {
	rule.Ports = d.Ports
	switch {
	case d.To.Ports == d.Ports:
		rule.To.Ports = Ports{}
		return []Rule{rule}
	case d.To.Ports.Count() <= 1:
		return []Rule{rule}
	}
	var list []Rule
	for i := range d.Ports.Count() {
		rule.Ports = onePort(d.Ports.Low + uint16(i))
		rule.To.Ports = onePort(d.To.Ports.Low + uint16(i))
		list = append(list, rule)
	}
	return list
}
