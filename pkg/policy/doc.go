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
