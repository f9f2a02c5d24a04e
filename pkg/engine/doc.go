// Package engine owns the routing state: one goroutine takes events of the
// sessions, of the kernel and of the operator, one at a time, steps the RIB and
// hands the effects on.
//
// Promise: no other goroutine sees the RIB; readers get copies. The engine does
// no I/O of its own: sessions, the forwarding plane and the clock are ports
// that it declares and the daemon fills in.
package engine
