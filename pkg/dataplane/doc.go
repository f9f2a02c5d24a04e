// Package dataplane is the one goroutine that keeps the kernel as wanted: tunnel
// devices, rules of NICs, NAT, sysctls, next-hop groups and routes, in this order, and undone in
// reverse.
//
// Promises: what is wanted is level, the latest wins, and handing it over never
// blocks. Events of the kernel only mark what is to be looked at; a full compare
// every scan interval finds what gave no event. One failing object holds up no
// other. Nothing is deleted from the table before [Dataplane.InSync]. Every repair
// of what another program did is counted and logged once.
//
// It owns all state of packages fib, tunnel, nat and nic. It knows neither BGP nor netlink:
// package kernel implements its ports.
package dataplane
