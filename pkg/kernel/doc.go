// Package kernel is nvad's only door to the Linux kernel: rtnetlink, nftables,
// sysctls and raw frames. It implements the interfaces that packages fib, tunnel,
// nat and nic ask for, and reports what other programs change.
//
// Promise: everything is one network namespace's, the caller's own or one given.
// Routes go in batches with an acknowledgement each, so that one bad route stops
// no other and each error is known. Nothing is cached: what is read is what the
// kernel holds.
//
// The package owns sockets and no other state. Messages follow linux/rtnetlink.h,
// linux/nexthop.h, linux/if_link.h, linux/neighbour.h,
// linux/fib_rules.h and linux/netfilter/nf_tables.h.
package kernel
