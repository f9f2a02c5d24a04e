// Package nat keeps nvad's nftables table as wanted: masquerading, translation of
// sources and destinations, the clamping of TCP's maximum segment size to what fits
// through the tunnels, and the rules that keep strangers out of the tunnels (ADR 0009).
//
// Promises: the table is replaced as a whole and in one step, so that no packet
// meets half of it, and only if it differs. No other table is looked at. Chains
// that translate are there only if something is to be translated: they make the
// kernel track every connection. What another program changed is put back and
// told once.
//
// A rule is recognised by a mark in its comment, which depends on all that it
// says; one that was changed but kept its comment goes unnoticed.
//
// The package owns the state of one [Manager], which belongs to one goroutine. It
// knows no netlink: package kernel implements [Kernel], package nattest a kernel in
// memory.
package nat
