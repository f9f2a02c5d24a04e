// Package bfd detects within milliseconds that a peer, or the path to it, has
// died: Bidirectional Forwarding Detection in asynchronous mode (RFC 5880), over
// one hop (RFC 5881) and over several (RFC 5883), IPv4 and IPv6.
//
// Promise: give [Manager.Configure] the whole wanted set of sessions; what is new
// comes up, what is gone says AdminDown to its peer, and what has changed is
// changed by a Poll Sequence without a flap. [Manager.Events] tells of each
// session that comes up or stops being up, with the reason in words. A deadline
// that passes while this process was starved is extended by the time it was
// starved, and the receive sockets are read empty before a session is declared
// down, so that a busy machine does not look like a dead peer.
//
// The state machine (session) has no clock, socket or goroutine. One goroutine
// (loop) owns all sessions, on a thread of its own that runs ahead of others where
// it may; sockets are behind the port interface.
//
// Left out, on purpose:
//   - Types of authentication other than Meticulous Keyed SHA1 (RFC 5880 6.7.4).
//     The others send the key itself, use MD5, or let packets be replayed.
//   - Demand mode of our own and the echo function: D is never set, Required Min
//     Echo RX Interval is 0. A peer that sets D is served as 6.8.7 demands: it
//     gets no periodic packets while both sides are up.
//   - Sessions that nobody configured.
package bfd
