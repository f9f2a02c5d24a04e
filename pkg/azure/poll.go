package azure

import (
	"net/netip"
	"time"
)

// Bounds of what nvad keeps of a poll.
const (
	MaxPolled    = 2000 // prefixes
	MaxPollTexts = 16   // instances, or causes, of one prefix
	MaxPollText  = 1000 // octets of one text
)

// Poll has the result of one poll of Azure: as much of a comparison as nvad keeps, so that it
// can mention it beside its own routes.
type Poll struct {
	Taken    time.Time // when the last answer arrived
	Fates    []Fate
	LeftOut  int // prefixes that were too many
	Findings int // errors and warnings, of prefixes and of none
	NotRead  int // parts of Azure
}

// Fate describes what Azure does with some prefixes, the same with each of them.
type Fate struct {
	Prefixes []netip.Prefix
	// Learned and Unlearned are the instances of Route Servers to which nvad advertises
	// the prefixes: those that learned them from this NVA, and those that did not.
	Learned, Unlearned []netip.Addr
	// Effective says what the effective routes of the VM's NIC do with the prefixes;
	// empty if they were not read.
	Effective string
	Findings  []Cause
}

// Cause is one thing that is wrong with a prefix.
type Cause struct{ Code, Reason string }
