package fib

import "net/netip"

// Fate says what happens to a packet, in the words of ip route.
type Fate string

// Fates of a packet.
const (
	FateForwarded   Fate = "unicast"
	FateLocal       Fate = "local" // it has arrived
	FateBroadcast   Fate = "broadcast"
	FateMulticast   Fate = "multicast"
	FateDropped     Fate = "blackhole"   // without an answer to the sender
	FateUnreachable Fate = "unreachable" // ICMP host unreachable
	FateProhibited  Fate = "prohibit"    // ICMP administratively prohibited
	FateNoRoute     Fate = "no route"
)

// Lookup is where the kernel sends a packet for an address, and the route it uses.
type Lookup struct {
	Fate   Fate
	Via    netip.Addr // invalid: on-link
	Link   int
	Source netip.Addr // address that packets of this machine itself would have
	MTU    int        // of the route, or learned on the path (RTAX_MTU); 0: the link's

	Prefix   netip.Prefix // of the route; invalid if there is none
	Protocol int
	Metric   uint32
}
