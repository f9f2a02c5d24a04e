// Package probe measures outages with traffic: numbered UDP packets that one network namespace
// sends to many addresses in another, at a steady rate.
//
// An outage is the time between the sending of the last packet that arrives before a loss and
// the sending of the first one that arrives after it, less the interval at which the flow is
// sent. The result depends neither on the receiver's clock nor on its speed, and needs no
// assumption about when an outage began. If the sender is delayed, the measured outage is too
// long, never too short.
package probe
