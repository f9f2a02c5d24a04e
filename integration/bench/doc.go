// Package bench measures nvad beside FRR and BIRD: from the first octet of an
// UPDATE on the wire to the kernel's FIB and to what other neighbors are told.
//
// Promise: all subjects of a run get the same routes from the same feeder, with
// the same policies, one after the other, round by round, together with the
// speed at which this kernel takes routes at all. So the ratios of a run mean
// something even on a machine whose absolute figures mean little.
//
// The subject has a network namespace of its own and one more for each of its
// three neighbors: a Route Server (AS 65515), an NVA (iBGP) and a second Route
// Server. Each of them feeds and counts, and does little else: what it sends
// is encoded before the clock starts.
package bench
