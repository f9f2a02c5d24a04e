package nat

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
)

// Hook says where packets enter a chain.
type Hook uint8

// Hooks. NoHook is for a chain to which others jump.
const (
	NoHook        Hook = iota
	Prerouting         // of type nat, priority dstnat
	Postrouting        // of type nat, priority srcnat
	Forward            // of type filter, priority mangle
	RawPrerouting      // of type filter, priority raw: everything that arrives, before it is tracked
	RawInput           // of type filter, priority raw: everything for this machine
	OtherHook          // anything else; never wanted
)

// Chain is a wanted chain of the table.
type Chain struct {
	Name  string
	Hook  Hook // its policy is to accept
	Rules []Rule
}

// Protocol is an IP protocol number.
type Protocol uint8

// Protocols.
const (
	AnyProtocol Protocol = 0
	TCP         Protocol = 6
	UDP         Protocol = 17
)

// String returns the name of the protocol; "any" if it is none of these.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	}
	return "any"
}

// Ports is a range of ports. The zero value is any port.
type Ports struct{ Low, High uint16 }

func onePort(n uint16) Ports { return Ports{n, n} }

// Count returns the number of ports; 0 for any port.
func (p Ports) Count() int {
	if p == (Ports{}) {
		return 0
	}
	return int(p.High) - int(p.Low) + 1
}

// String returns the range as nft(8) writes it; empty for any port.
func (p Ports) String() string {
	switch p.Count() {
	case 0:
		return ""
	case 1:
		return fmt.Sprint(p.Low)
	}
	return fmt.Sprintf("%d-%d", p.Low, p.High)
}

// Action says what a rule does to packets that match.
type Action uint8

// Actions.
const (
	Return           Action = iota // leave the chain
	Jump                           // to the chain Chain
	MasqueradeSource               // replace the source by the outgoing device's address
	SourceTo                       // replace the source by To
	DestinationTo                  // replace the destination by To
	ClampSize                      // lower the segment size in TCP's SYN to Size or, if 0, to the route's MTU
	Accept                         // leave the base chain and all that jumped
	Drop                           // drop the packet
)

// Rule applies Do to packets that match all of its conditions.
type Rule struct {
	Why         string // the reason, shown to operators: mostly the setting that asks for it
	In, Out     string // devices; "": any
	Source      netip.Prefix
	Destination netip.Prefix
	Protocol    Protocol
	Ports       Ports // of the destination
	Do          Action
	Chain       string
	To          Endpoint
	Size        int
	Guard
}

// Guard has the further conditions of rules that guard a tunnel. The zero value has none.
type Guard struct {
	Tunnel      string // device of the guarded tunnel; "": the rule guards none
	OtherSource bool   // the packet's source is not Source
	OwnSource   bool   // the source is an address of this machine
	Fragment    bool   // a fragment of an IPv6 packet
	VNI         uint32 // of a VXLAN packet; 0: any
	Inner       []Octets
}

// Octets is a comparison with the octets at some offset in a UDP packet.
type Octets struct {
	At   int    // octets after the start of the UDP header
	Data string // to compare with
	Not  bool   // match if they differ
}

// String returns the comparison as nft(8) writes it.
func (o Octets) String() string {
	op := ""
	if o.Not {
		op = "!= "
	}
	return fmt.Sprintf("@th,%d,%d %s0x%x", 8*o.At, 8*len(o.Data), op, o.Data)
}

// single returns the prefix with one address.
func single(a netip.Addr) netip.Prefix {
	if !a.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// String returns the rule much as nft(8) writes it, without the comment.
func (r Rule) String() string {
	var b strings.Builder
	word := func(format string, args ...any) { fmt.Fprintf(&b, format+" ", args...) }
	if r.In != "" {
		word("iifname %q", r.In)
	}
	if r.Out != "" {
		word("oifname %q", r.Out)
	}
	switch {
	case r.OwnSource:
		word("fib saddr type local")
	case r.OtherSource:
		word("saddr != %s", r.Source)
	case r.Source.IsValid():
		word("saddr %s", r.Source)
	}
	if r.Destination.IsValid() {
		word("daddr %s", r.Destination)
	}
	if r.Protocol != AnyProtocol {
		word("%s", r.Protocol)
	}
	if r.Ports != (Ports{}) {
		word("dport %s", r.Ports)
	}
	if r.Fragment {
		word("exthdr frag exists")
	}
	if r.VNI != 0 {
		word("vxlan vni %d", r.VNI)
	}
	for _, o := range r.Inner {
		word("%s", o)
	}
	return b.String() + r.action()
}

func (r Rule) action() string {
	switch r.Do {
	case Jump:
		return "jump " + r.Chain
	case MasqueradeSource:
		return "masquerade"
	case SourceTo:
		return "snat to " + r.To.String()
	case DestinationTo:
		return "dnat to " + r.To.String()
	case Accept:
		return "accept"
	case Drop:
		return "drop"
	case ClampSize:
		if r.Size == 0 {
			return "maxseg size set rt mtu"
		}
		return fmt.Sprintf("maxseg size set %d", r.Size)
	}
	return "return"
}

// encoding numbers the form in which package kernel encodes rules. It is part of the marks, so
// that after an upgrade with another form the rules are written anew.
const encoding = 2

// Mark returns the comment that identifies the rule: the reason for it and a hash of what it
// says.
func (r Rule) Mark() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", encoding, r))
	return fmt.Sprintf("%s #%x", r.Why, sum[:4])
}
