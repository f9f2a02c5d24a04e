// Package policy compiles prefix-lists, as-path-lists, community-lists and
// route-maps into a [Program] and evaluates routes against it.
//
// Promise: evaluation is pure, allocates nothing for a route that it does not
// change, and never fails open: a route that cannot be decided is denied (RFC 8212
// for a missing policy, implicit deny at the end of every list and route-map).
// Policies mean the same as in FRRouting.
//
// A configuration gives the source form ([Library], [Chain]), rule by rule;
// ParseXxx and String read and print single rules. [Compile] turns a Chain into a
// Program, a short sequence of stages: ASNs to deny, a prefix-list, an as-path-list,
// a route-map. [Program.Run] evaluates them, and [Program.Trace] also returns every
// step.
//
// Three things make it fast. A prefix-list is a trie that holds the first matching
// rule for every length, so that its size does not matter. The expressions of an
// as-path-list become one automaton over the text of the path. And a memo, keyed by
// the pointer to an attribute set, keeps the verdicts of the lists and the changes
// of the clauses, since most routes share a few sets.
//
// The package reads no clock and does no I/O. Choosing between routes is left to
// package rib, reading files to package config.
package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// Library holds the named objects of one configuration, as written. [Compile]
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
// Seq 0, here, in every other list and in route-maps, means not given: the rule gets
// the next multiple of five after the highest number so far.
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

// Next selects the clause to evaluate after a matching permit clause.
type Next uint8

// Values of [Next].
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
	Call   string // route-map to evaluate as well; if it denies, the clause denies
	Next   Next
	Target int // of NextGoto and NextContinue
}

// Cmp is a comparison with a number; the zero value matches everything.
type Cmp struct {
	Op    string // "", "=", "<", "<=", ">", ">="
	Value uint32
}

// Match holds the conditions of a clause; a zero field is no condition.
type Match struct {
	PrefixList         string
	ASPathList         string
	Bogons             Bogons // the path holds an ASN of this set
	CommunityList      string
	CommunityExact     bool // the route carries a rule's values and no others
	CommunityAny       bool // the route carries one of a rule's values
	LargeCommunityList string
	LargeExact         bool // as CommunityExact
	LargeAny           bool // as CommunityAny
	ExtCommunityList   string
	ExtExact           bool // as CommunityExact
	ExtAny             bool // as CommunityAny
	NextHopPrefixList  string
	NextHop            netip.Addr
	Neighbor           netip.Addr // neighbor from which the route was learned
	PeerGroup          string     // peer-group of that neighbor
	Peer               netip.Addr // neighbor to whose session the policy belongs
	Source             string     // route.Source by name
	MED                *uint32    // an absent MED is 0
	LocalPref          *uint32    // an absent LOCAL_PREF is 0, as in FRR
	Origin             string     // igp, egp, incomplete
	PathLength         Cmp        // route.ASPath.Len
	Tag                *uint32
	Role               string // RFC 9234 role of the neighbor: provider, customer, peer, rs-server, rs-client
}

// Set holds the changes of a clause; a zero field changes nothing.
//
// Within a clause, ASNs of the AS_PATH are replaced, then excluded, then prepended;
// communities are set, then deleted, then added. Only a permit clause changes
// anything. Later clauses see the changes of earlier ones.
type Set struct {
	ASPathReplace        string   // "any" or ASNs separated by space or comma; each becomes the local ASN
	ASPathPrepend        []uint32 // in order, leftmost first; the local ASN is not added by itself
	ASPathPrependLast    int      // how often to repeat the leftmost ASN, 1-10
	ASPathExclude        []uint32
	ASPathExcludeAll     bool
	LocalPref            *Number  // a change starts from 0 if the attribute is absent, as in FRR
	MED                  *Number  // likewise
	Communities          []string // replace all; "none" empties
	CommunitiesAdd       []string
	CommunityDelete      string   // community-list; deletes each community that it permits by itself
	LargeCommunities     []string // as Communities
	LargeCommunitiesAdd  []string
	LargeCommunityDelete string
	ExtCommunities       []string // as Communities: route targets and sites of origin
	ExtCommunitiesAdd    []string
	ExtCommunityDelete   string
	// NextHop is an address, "self", "unchanged" or "peer". An address changes
	// routes of its own family only.
	NextHop           string
	NextHopIPv6       netip.Addr // for IPv6 routes, besides an IPv4 NextHop
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

// Chain is the policy of a neighbor in one direction. A route must pass every part
// that is present, in the order of the fields. The zero Chain denies everything, and
// Accept alone passes everything.
type Chain struct {
	Accept     bool   // a policy is configured, be it only "accept"
	DenyASNs   Bogons // checked against every ASN of the path, without exception
	PrefixList string
	ASPathList string
	RouteMap   string
}

// Session holds the settings of a session that its Programs may look at.
type Session struct {
	LocalASN     uint32
	PeerASN      uint32
	Neighbor     netip.Addr
	LocalAddress netip.Addr
	PeerGroup    string
	Role         string // RFC 9234 role of the neighbor
	Export       bool   // direction: towards the neighbor
}

// Input is the route to evaluate.
type Input struct {
	Prefix    netip.Prefix
	Attrs     *route.Attrs
	Source    route.Source
	From      netip.Addr // neighbor from which it was learned, if Source is SourceBGP
	FromGroup string
	Weight    uint32
	Tag       uint32
}

// Output is the verdict. Attrs is Input's pointer if the Program changed nothing,
// otherwise a new set that is not interned.
type Output struct {
	Accept          bool
	Attrs           *route.Attrs
	Weight          uint32
	Tag             uint32
	PreferredSource netip.Addr
	NextHop         NextHop // next hop on export
	Rule            Rule    // the rule that decided; see Program.RuleText
}

// NextHop selects the next hop on export.
type NextHop uint8

// Next hops on export.
const (
	NextHopDefault   NextHop = iota // as usual for the session: eBGP or iBGP
	NextHopSelf                     // the session's local address
	NextHopUnchanged                // as learned
	NextHopPeer                     // the neighbor's own address
	NextHopSet                      // that of Output.Attrs
)

// Rule identifies a rule of one Program; 0 means none. [Program.RuleText] prints it.
// The lower 32 bits are a number that the Program gave out, the upper ones the ASN
// that was found, if the rule is about ASNs.
type Rule uint64

// Kind is a kind of named object, named by its keyword in the configuration.
type Kind string

// Kinds of named objects. KindChain is the policy of a neighbor in one direction,
// which has no name.
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
	Index int    // position of the rule or clause as written, from 0; -1: the whole object
	Seq   int    // number of the rule or clause, 0 if there is none
	Field string // such as "match.prefix-list" or "set.med"; empty: the whole rule
	Err   error  // what is wrong
}

// Error returns the place and the problem in one line.
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

// Unwrap returns the problem without its place.
func (e *Error) Unwrap() error { return e.Err }
