// Package hostile attacks nvad as it is run: the real binary in a network namespace, with
// neighbors, strangers and clients that attack it with hand-made packets.
//
// Promise: under each attack nvad stays within the memory that the same routes need without
// it, a route of a well-behaved neighbor still crosses in time, sessions and BFD stay up,
// /healthz answers truthfully, and after the attack nvad frees the memory again. Each attack
// is limited in count and in time.
//
// The short form takes seconds for each attack and is part of the tests. The long form, with
// the figures in docs/security.md, runs if NVAD_HOSTILE_LONG=1 is set, as `make hostile` does.
// The table of threats in docs/security.md names the test for each threat.
package hostile
