// Package fib keeps the kernel's routes and next-hop groups equal to the ones
// that are wanted.
//
// Promise: what is wanted is level, not edge. A route another program deleted
// or changed comes back; a route that is not ours is never touched; one route
// that fails never blocks another: it stays dirty, is retried with backoff and
// shows. What an earlier run left
// is deleted only when the caller says that it is in sync.
//
// State (what is wanted, what the kernel is believed to hold) is owned by the
// one loop that calls it. The package knows no netlink (package kernel), no BGP
// and no policy.
package fib
