// Package hostile attacks nvad as it is run: the real binary in a network
// namespace, with neighbors, strangers and clients that mean harm and speak with
// octets of their own making.
//
// Its promise: under each attack nvad stays within the memory that the same
// routes cost without it, a well-behaved neighbor's route still crosses in time,
// sessions and BFD hold, /healthz answers truthfully, and what the attack took is
// given back after its end. Each attack is bounded in count and in time.
//
// The short form takes seconds for an attack and is part of the tests. The long
// form, with the figures that docs/security.md names, runs where
// NVAD_HOSTILE_LONG=1 is set, as `make hostile` does. The table of threats in
// docs/security.md names the test of each.
package hostile
