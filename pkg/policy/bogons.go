package policy

import (
	"fmt"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// asnRange is an inclusive range of ASNs.
type asnRange struct{ first, last uint32 }

// Special-purpose AS numbers of the IANA registry.
var (
	reservedASNs = []asnRange{
		{0, 0},                   // RFC 7607
		{23456, 23456},           // AS_TRANS, RFC 6793
		{64496, 64511},           // documentation, RFC 5398
		{65535, 65535},           // RFC 7300
		{65536, 65551},           // documentation, RFC 5398
		{65552, 131071},          // IANA reserved
		{4294967295, 4294967295}, // RFC 7300
	}
	privateASNs = []asnRange{ // RFC 6996
		{64512, 65534},
		{4200000000, 4294967294},
	}
)

// String returns "reserved", "private", or "all" for both; empty for the empty set.
func (b Bogons) String() string {
	switch b {
	case Reserved:
		return "reserved"
	case Private:
		return "private"
	case Reserved | Private:
		return "all"
	}
	return ""
}

// Of returns the set among b that asn belongs to, 0 if none. The private set
// includes the ASNs of Azure's Route Servers (65515-65520), so that it refuses the
// routes learned from one.
func (b Bogons) Of(asn uint32) Bogons {
	has := func(r asnRange) bool { return r.first <= asn && asn <= r.last }
	switch {
	case b&Reserved != 0 && slices.ContainsFunc(reservedASNs, has):
		return Reserved
	case b&Private != 0 && slices.ContainsFunc(privateASNs, has):
		return Private
	}
	return 0
}

// bogonList matches a path with an ASN of the set, in a segment of any type. Rule 0
// is the reserved set, rule 1 the private one.
type bogonList Bogons

func (l bogonList) decide(a *route.Attrs, _ *[]byte) verdict {
	for _, seg := range a.ASPath {
		for _, asn := range seg.ASNs {
			switch Bogons(l).Of(asn) {
			case Reserved:
				return listVerdict(0, true).withASN(asn)
			case Private:
				return listVerdict(1, true).withASN(asn)
			}
		}
	}
	return listVerdict(2, false)
}

func (l bogonList) ruleText(i int, asn uint32) string {
	set := Reserved
	if i == 1 {
		set = Private
	}
	return fmt.Sprintf("deny-asns %s: AS %d", set, asn)
}

// hit returns the ASN that was found, as text; empty if none was.
func (l bogonList) hit(v verdict) string {
	if !v.permit() {
		return ""
	}
	return fmt.Sprintf("AS %d", v.asn())
}

func (l bogonList) label() string { return "bogons " + Bogons(l).String() }

func (l bogonList) written(i int) string {
	if i > 1 {
		return ""
	}
	return [...]string{"reserved", "private"}[i]
}

func (l bogonList) looked(a *route.Attrs) string { return a.ASPath.String() }
