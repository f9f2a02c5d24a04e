// Package bfd detects within milliseconds that a peer, or the path to it, has
// died: Bidirectional Forwarding Detection in asynchronous mode (RFC 5880), over
// one hop (RFC 5881) and over several (RFC 5883), IPv4 and IPv6.
//
// Promise: [Manager.Configure] takes the complete set of wanted sessions. New ones come
// up, removed ones send AdminDown to their peer, and changed ones change by a Poll
// Sequence, without a flap. [Manager.Events] reports each session that comes up or goes
// down, with the reason in words. A busy machine does not look like a dead peer: if the
// process did not get to run, deadlines are extended by that time, and the receive sockets
// are read empty before a session is declared down.
//
// The state machine (session) has no clock, socket or goroutine. One goroutine
// (loop) owns all sessions. Sockets are behind the port interface.
//
// Left out on purpose:
//   - Types of authentication other than Meticulous Keyed SHA1 (RFC 5880 6.7.4).
//     The others send the key itself, use MD5, or let packets be replayed.
//   - Demand mode and the echo function on this side: D is never set, Required Min Echo RX
//     Interval is 0. A peer that sets D gets no periodic packets while both sides are up,
//     as 6.8.7 demands.
//   - Sessions that nobody configured.
package bfd
