// Package policy compiles prefix-lists, as-path-lists, community-lists and
// route-maps into an immutable [Program] and evaluates routes against it.
//
// Promise: evaluation is pure, allocates nothing for a route it does not
// change, and never fails open: what cannot be decided or applied is denied
// (RFC 8212 for a missing policy, implicit deny at the end of every list and
// route-map). Semantics follow what FRRouting users know.
//
// The package owns no state, reads no clock and does no I/O. It does not choose
// between routes (package rib) and does not read files (package config).
package policy
