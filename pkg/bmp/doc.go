// Package bmp sends monitoring stations what the neighbors of this NVA announce, before and
// after import policy, with the BGP Monitoring Protocol (RFC 7854).
//
// A collector wants every route of every neighbor, as it is now and as it changes. It may be
// slow, absent or hostile, and routing must not notice. So each station has a [Feed]: the
// engine puts sessions and routes into it without waiting, and the station's goroutine
// encodes them and writes them to its connection. The Feed has a bound in octets. If the
// station is too slow for it, the connection is reset and begun again later, with everything
// there is: a station may lose a connection, but what it was sent over one is never wrong.
//
// Promise: no method that the engine calls blocks, a station takes at most [FeedOctets] of
// memory and little more, and what a station sends is read and dropped.
//
// [Stations] owns the connections, each Feed what waits for its station. Messages are encoded
// in message.go, without state. What is sent, and in which order, is up to pkg/engine; UPDATEs
// are encoded by pkg/speaker/wire.
package bmp
