// Package nic keeps a table and rules for each NIC of an NVA, so that what is
// answered to Azure's platform address leaves by the NIC that was asked: a load
// balancer probes every NIC from one address, and table main has one way there.
//
// Promises: a rule takes nothing but packets from an address of the NIC to
// [Platform]; BGP, VXLAN and what is forwarded follow table main as before. What
// already is as wanted is left alone, so that a restart of nvad is not noticed.
// Rules and routes of other programs are never touched. What another program took
// away is put back and told once.
//
// Ownership: nvad's rules have [Protocol] and [Priority], its routes Protocol, a
// table other than main and the destination Platform.
//
// The package owns the state of one [Manager], which belongs to one goroutine. It
// knows no netlink: package kernel implements [Kernel], package nictest a kernel
// in memory.
package nic
