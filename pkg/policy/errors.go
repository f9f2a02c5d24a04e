package policy

import (
	"fmt"
	"strings"
)

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
