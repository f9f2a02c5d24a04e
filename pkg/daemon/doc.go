// Package daemon wires the rooms together and keeps the process's life: start
// in order, signals, reload, systemd notifications, end in order.
//
// Promise: a configuration that is not valid changes nothing, neither at start
// nor at a reload. READY is told once configuration, links and static routes
// stand, and never waits for a neighbor. After SIGTERM with preserve-fib the
// kernel forwards on as before.
// A network namespace has one nvad, and no other daemon that writes BGP routes.
//
// It decides nothing about routes; what it owns is the running configuration's
// text and the order of things.
package daemon
