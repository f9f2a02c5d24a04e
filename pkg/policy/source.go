// Package policy compiles prefix-lists, as-path-lists, community-lists and
// route-maps into a [Program] and evaluates routes against it.
//
// Promise: evaluation is pure, allocates nothing for a route it does not
// change, and never fails open: what cannot be decided or applied is denied
// (RFC 8212 for a missing policy, implicit deny at the end of every list and
// route-map). Semantics follow what FRRouting users know.
//
// The source form ([Library], [Chain]) is what a configuration says, rule by
// rule; ParseXxx and String read and print single rules. [Compile] turns a
// Chain into a Program, which is a short sequence of stages: ASNs to deny, a
// prefix-list, an as-path-list, a route-map. [Program.Run] evaluates them,
// [Program.Trace] does the same and tells every step.
//
// Three things make it fast. A prefix-list is a trie with the first matching
// rule worked out for every length, so that its size does not matter. The
// expressions of an as-path-list become one automaton over the text of the
// path. And what lists say of an attribute set, and what a clause makes of it,
// is remembered by the set's pointer, since most routes share few sets.
//
// The package reads no clock and does no I/O. It does not choose between
// routes (package rib) and does not read files (package config).
package policy

import (
	"fmt"
	"net/netip"
	"strings"

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
//
// Seq 0, here and in every other list and in route-maps, means not given: the
// next multiple of five after the highest number so far.
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

// CommunityList is a list of rules by ascending Seq; no match denies. A standard
// rule matches a route that carries all of Values; an expanded rule matches if
// Regexp matches the text form of the communities ("65515:1 65515:2"; extended
// ones as "RT:65515:1 SoO:65001:7"), in which "_" is as in an [ASPathRule].
//
// The value "internet" of a standard rule matches every route.
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
	CommunityExact     bool // a rule's values are all that the route carries
	CommunityAny       bool // one of a rule's values suffices
	LargeCommunityList string
	LargeExact         bool // as CommunityExact
	LargeAny           bool // as CommunityAny
	ExtCommunityList   string
	ExtExact           bool // as CommunityExact
	ExtAny             bool // as CommunityAny
	NextHopPrefixList  string
	NextHop            netip.Addr
	Neighbor           netip.Addr // that the route was learned from
	PeerGroup          string     // of that neighbor
	Peer               netip.Addr // the neighbor whose session the policy serves
	Source             string     // route.Source by name
	MED                *uint32    // an absent MED is 0
	LocalPref          *uint32    // an absent LOCAL_PREF is 0, as FRR has it
	Origin             string     // igp, egp, incomplete
	PathLength         Cmp        // route.ASPath.Len
	Tag                *uint32
	Role               string // RFC 9234 role of the neighbor: provider, customer, peer, rs-server, rs-client
}

// Set is the changes of a clause; zero fields change nothing.
//
// Within a clause the AS_PATH is replaced, then excluded from, then prepended
// to; communities are set, then deleted, then added. Only a permit clause
// changes anything. Later clauses see what earlier ones changed.
type Set struct {
	ASPathReplace        string   // "any" or ASNs separated by space or comma; each becomes the local ASN
	ASPathPrepend        []uint32 // in order, leftmost first; the local ASN is not added by itself
	ASPathPrependLast    int      // repeat the leftmost ASN so often, 1-10
	ASPathExclude        []uint32
	ASPathExcludeAll     bool
	LocalPref            *Number  // a change starts from 0 if there is none, as FRR has it
	MED                  *Number  // likewise
	Communities          []string // replace all; "none" empties
	CommunitiesAdd       []string
	CommunityDelete      string   // community-list, asked about each community alone
	LargeCommunities     []string // as Communities
	LargeCommunitiesAdd  []string
	LargeCommunityDelete string
	ExtCommunities       []string // as Communities: route targets and sites of origin
	ExtCommunitiesAdd    []string
	ExtCommunityDelete   string
	// NextHop is an address, "self", "unchanged" or "peer". An address changes
	// routes of its own family only.
	NextHop           string
	NextHopIPv6       netip.Addr // for IPv6 routes, beside an IPv4 NextHop
	Origin            string
	Weight            *uint32
	Tag               *uint32
	PreferredSource   netip.Addr // RTA_PREFSRC
	AtomicAggregate   bool
	AggregatorASN     uint32
	AggregatorAddress netip.Addr
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
	DenyASNs   Bogons // checked against every ASN of the path, without exception
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

// Rule identifies a rule of one Program; 0 means none. Only
// [Program.RuleText] can tell what it stands for: the lower 32 bits are a
// number the Program gave out, the upper ones the ASN that hit, if one did.
type Rule uint64

// Kind is a kind of named object, by the word that starts its definition.
type Kind string

// Kinds of named objects. KindChain is the policy of a neighbor in one
// direction, which has no name of its own.
const (
	KindPrefixList         Kind = "prefix-list"
	KindASPathList         Kind = "as-path-list"
	KindCommunityList      Kind = "community-list"
	KindLargeCommunityList Kind = "large-community-list"
	KindExtCommunityList   Kind = "ext-community-list"
	KindRouteMap           Kind = "route-map"
	KindChain              Kind = "policy"
)

// Error is one problem of a policy, with its place in the source.
type Error struct {
	Kind  Kind
	Name  string
	Index int    // position of the rule or clause as written, from 0; -1: the object as a whole
	Seq   int    // its number, 0 if there is no rule or clause
	Field string // such as "match.prefix-list" or "set.med"; empty: the rule as a whole
	Err   error  // what is wrong
}

// Error is the place and the problem in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Kind))
	if e.Name != "" {
		b.WriteString(" " + e.Name)
	}
	if e.Seq > 0 {
		fmt.Fprintf(&b, " seq %d", e.Seq)
	}
	if e.Field != "" {
		b.WriteString(" " + e.Field)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap returns what is wrong, without the place.
func (e *Error) Unwrap() error { return e.Err }
