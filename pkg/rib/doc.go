// Package rib is the routing table: Adj-RIB-In, Loc-RIB and Adj-RIB-Out of
// every neighbor, the decision process, next-hop resolution and the plan of
// what the kernel shall hold (RFC 4271 section 3.2 and 9).
//
// One destination per prefix carries all of it: the paths received (before and
// after import policy), the best one, what each neighbor was told, what the
// forwarding plane was told. So a change of any input costs one look-up, and
// what was sent is remembered, never recomputed to guess it.
//
// Promise: the same set of inputs ends in the same tables in whatever order
// they came. Inputs only mark destinations dirty; [RIB.Flush] decides about a
// bounded number of them, a few of each neighbor's in turn, so that a million
// changes block neither the caller nor another neighbor's single one.
//
// The caller's goroutine owns all state. There is no clock, lock, log or I/O
// here; time comes as an argument.
package rib
