// Package probe measures outages by traffic: numbered UDP packets from one
// network namespace to many addresses in another, at a steady rate.
//
// An outage is the time between the sending of the last packet that arrives
// before a loss and that of the first one after it, less the interval at which
// the flow is sent. So neither clock nor speed of the receiver counts, no
// assumption is made about when an outage began, and where the sender itself
// stalls an outage comes out too long, not too short.
package probe
