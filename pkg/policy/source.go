package policy

import (
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
)

// Library is the named objects of one configuration, as written; [Compile]
// turns it and a Chain into a Program.
type Library struct {
	PrefixLists         map[string]PrefixList
	ASPathLists         map[string]ASPathList
	CommunityLists      map[string]CommunityList
	LargeCommunityLists map[string]CommunityList
	ExtCommunityLists   map[string]CommunityList
	RouteMaps           map[string]RouteMap
}

// PrefixList is a list of rules, matched by ascending Seq; no match denies.
type PrefixList []PrefixRule

// PrefixRule matches prefixes within Prefix whose length is between GE and LE.
// GE and LE both zero: exactly Prefix. Any: every prefix of either family.
type PrefixRule struct {
	Seq    int
	Permit bool
	Any    bool
	Prefix netip.Prefix
	GE, LE int // 0: not given
}

// ASPathList is a list of rules in order; no match denies.
type ASPathList []ASPathRule

// ASPathRule matches the text form of an AS_PATH against a POSIX extended
// expression in which "_" stands for start, end, space, comma, braces and
// parentheses.
type ASPathRule struct {
	Seq    int
	Permit bool
	Regexp string
}

// CommunityList is a list of rules in order; no match denies. A standard rule
// matches a route that carries all of Values; an expanded rule matches if
// Regexp matches the text form of the communities ("65515:1 65515:2").
type CommunityList []CommunityRule

// CommunityRule is one rule of a CommunityList: either Values or Regexp.
type CommunityRule struct {
	Seq    int
	Permit bool
	Values []string
	Regexp string
}

// RouteMap is a list of clauses, matched by ascending Seq; no match denies.
type RouteMap []Clause

// Next says what follows a matching permit clause.
type Next uint8

// What follows a matching permit clause.
const (
	NextStop     Next = iota // accept the route
	NextClause               // on-match next
	NextGoto                 // on-match goto SEQ
	NextContinue             // continue SEQ, or the next clause if SEQ is 0
)

// Clause is one numbered entry of a route-map: all of Match must hold.
type Clause struct {
	Seq    int
	Permit bool
	Match  Match
	Set    Set
	Call   string // route-map whose denial denies
	Next   Next
	Target int // of NextGoto and NextContinue
}

// Cmp is a comparison with a number; the zero value matches everything.
type Cmp struct {
	Op    string // "", "=", "<", "<=", ">", ">="
	Value uint32
}

// Match is the conditions of a clause; zero fields are not looked at.
type Match struct {
	PrefixList         string
	ASPathList         string
	Bogons             string // "reserved", "private" or "all": path holds such an ASN
	CommunityList      string
	CommunityExact     bool
	LargeCommunityList string
	ExtCommunityList   string
	NextHopPrefixList  string
	NextHop            netip.Addr
	Neighbor           netip.Addr // that the route was learned from
	PeerGroup          string     // of that neighbor
	Source             string     // route.Source by name
	MED                *uint32
	LocalPref          *uint32
	Origin             string // igp, egp, incomplete
	PathLength         Cmp
	Tag                *uint32
	Role               string // RFC 9234 role of the neighbor: provider, customer, peer, rs-server, rs-client
}

// Set is the changes of a clause; zero fields change nothing.
type Set struct {
	ASPathReplace        string   // "any" or ASNs separated by space or comma
	ASPathPrepend        []uint32 // in order, leftmost first
	ASPathPrependLast    int      // repeat the leftmost ASN so often
	ASPathExclude        []uint32
	ASPathExcludeAll     bool
	LocalPref            *Number
	MED                  *Number
	Communities          []string // replace all; "none" empties
	CommunitiesAdd       []string
	CommunityDelete      string // community-list
	LargeCommunities     []string
	LargeCommunitiesAdd  []string
	LargeCommunityDelete string
	ExtCommunities       []string // route targets and sites of origin
	NextHop              string   // address, "self", "unchanged", "peer"
	Origin               string
	Weight               *uint32
	Tag                  *uint32
	PreferredSource      netip.Addr // RTA_PREFSRC
	AtomicAggregate      bool
	AggregatorASN        uint32
	AggregatorAddress    netip.Addr
}

// Number is an absolute value (Op 0) or a change by Value (Op '+' or '-').
type Number struct {
	Op    byte
	Value uint32
}

// Bogons names a set of ASNs that no public path may carry.
type Bogons uint8

// Sets of bogon ASNs; they combine.
const (
	// Reserved is 0, 23456, 64496-64511, 65535-65551, 65552-131071 and
	// 4294967295 (RFC 7607, 6793, 5398, 7300 and the IANA registry).
	Reserved Bogons = 1 << iota
	// Private is 64512-65534 and 4200000000-4294967294 (RFC 6996).
	Private
)

// Chain is what stands between a neighbor and the RIB in one direction. A
// route must pass every part that is present, in the order of the fields; the
// zero Chain denies everything, and Accept alone passes everything.
type Chain struct {
	Accept     bool   // a policy is configured, if only "accept"
	DenyASNs   Bogons // with Except, before any list
	PrefixList string
	ASPathList string
	RouteMap   string
}

// Session is what a Program may need to know of the session it serves.
type Session struct {
	LocalASN     uint32
	PeerASN      uint32
	Neighbor     netip.Addr
	LocalAddress netip.Addr
	PeerGroup    string
	Role         string // RFC 9234 role of the neighbor
	Export       bool   // direction: towards the neighbor
}

// Input is the route as it meets the Program.
type Input struct {
	Prefix    netip.Prefix
	Attrs     *route.Attrs
	Source    route.Source
	From      netip.Addr // neighbor it was learned from, if Source is SourceBGP
	FromGroup string
	Weight    uint32
	Tag       uint32
}

// Output is the verdict. Attrs is Input's pointer if nothing was changed,
// otherwise a new set that is not interned.
type Output struct {
	Accept          bool
	Attrs           *route.Attrs
	Weight          uint32
	Tag             uint32
	PreferredSource netip.Addr
	// NextHop says what to do with the next hop on export where Attrs can't.
	NextHop NextHop
	// Rule names the rule that decided; see Program.RuleText.
	Rule Rule
}

// NextHop is the next hop treatment that policy asks for on export.
type NextHop uint8

// Treatments of the next hop.
const (
	NextHopDefault   NextHop = iota // as the session's kind prescribes
	NextHopSelf                     // the session's local address
	NextHopUnchanged                // as learned
	NextHopPeer                     // the neighbor's own address
	NextHopSet                      // as Output.Attrs says
)

// Rule identifies a rule of a Program; 0 means none.
type Rule uint32
