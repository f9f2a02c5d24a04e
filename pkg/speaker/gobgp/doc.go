// Package gobgp runs nvad's BGP sessions: it listens and dials, settles collisions, sends
// what the engine asks for, and reports what neighbors say as events of package speaker.
// It is the only package that knows GoBGP.
//
// GoBGP runs the state machine of each session (RFC 4271 8): OPEN, KEEPALIVE, the hold
// and keepalive timers. nvad owns everything around it. Every TCP connection, dialled or
// accepted, is nvad's; GoBGP is handed a [net.Conn] that is a tap on it (tap.go). UPDATE
// and ROUTE-REFRESH never reach GoBGP: package wire decodes them here, and what nvad
// sends is encoded here and written past GoBGP (docs/adr/0002-update-stream-past-gobgp.md).
//
// Promise: the events of a session come in the order of [speaker.Event] and of the wire.
// Nothing is dropped or merged on the way in: while the event queue is full, the socket is
// not read. What is sent to a session never reaches a later one.
//
// Owners: one goroutine per neighbor (peer.run) owns dialling, collisions and the choice
// of the connection that is the session; one per connection (session.run) owns what
// is received; one per session (writer.run) owns what is sent. They meet in
// channels, in the tap and in the queue of changes.
//
// Whoever can connect from a neighbor's address is limited in connections, in the time a
// handshake takes and in sessions a minute, and can do nothing to an established session.
// GoBGP decodes OPEN without recover and keeps a table for each of its neighbors, so it
// knows a neighbor only while that has a connection, and reads an OPEN that nvad has
// decoded, checked and encoded anew.
//
// The package decides nothing about routes: loop checks, first AS, limits and the fate of
// stale routes are the engine's.
package gobgp
