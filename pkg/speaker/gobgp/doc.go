// Package gobgp carries BGP sessions. It is the only package that knows GoBGP.
//
// GoBGP is the session engine (RFC 4271 8: OPEN and its checks, the state
// machine, keepalive and hold timers). nvad owns what surrounds that: every TCP
// connection, dialled or accepted, is ours, and GoBGP is handed a [net.Conn]
// that is a tap on it. UPDATE and ROUTE-REFRESH never reach GoBGP. They are
// decoded here, errors in them are handled here (RFC 7606; attrtable.go has the
// rules), and they become events; what is sent is encoded here and written past
// GoBGP. See
// docs/adr/0002-update-stream-past-gobgp.md.
//
// Promise: the events of a session are those of [speaker.Event] and in its
// order, nothing is dropped or coalesced on the way in (a full event queue
// stops reading the socket), and what is sent to a session never reaches a
// later one.
//
// Owners: one goroutine per neighbor (peer.run) owns dialling, collisions and
// which connection is the session; one per connection (session.run) owns what
// is received; one per session (writer.run) owns what is sent. They meet in
// channels, in the tap and in the queue of changes.
//
// Whoever can connect from a neighbor's address is bounded: in connections, in the
// time a handshake takes, in sessions a minute, and in what it can do to a session
// that is alive, which is nothing. GoBGP decodes OPEN without recover, and keeps a
// table for each of its neighbors. So it is given a neighbor only while that has a
// connection, and an OPEN that was decoded, checked and encoded anew here.
//
// The package decides nothing about routes: loop checks, first AS, limits and
// what becomes of stale routes are the engine's.
package gobgp
