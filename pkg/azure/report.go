package azure

import (
	"net/netip"
	"time"
)

// Report is the comparison of what nvad sends with what Azure does with it. Its JSON is
// part of nvactl's interface.
type Report struct {
	// Taken is when the Snapshot was taken.
	Taken time.Time `json:"taken"`
	// NICs name the columns of Row.NICs, in their order: the NVA's own NICs, then spokes.
	NICs []Column `json:"nics"`
	// Rows has a row for each instance of a Route Server and each prefix that nvad sent
	// to it, that it learned from nvad, or that it sent to nvad. They are in the order of
	// Route Servers, instances, prefixes.
	Rows []Row `json:"rows"`
	// Findings are in order of severity, and within it of the number of prefixes.
	Findings []Finding `json:"findings"`
	// NotJudged lists what no Finding can be about, because it could not be read.
	NotJudged []NotJudged `json:"not_judged"`
}

// Column is a NIC in the columns of a Report.
type Column struct {
	NIC  string `json:"nic"` // ID
	Name string `json:"name"`
	Own  bool   `json:"own"` // whether it is one of the NVA's
}

// Row says how one prefix fares at one instance of a Route Server, and beyond.
type Row struct {
	RouteServer string       `json:"route_server"` // ID; empty if it could not be read
	Instance    netip.Addr   `json:"instance"`
	Prefix      netip.Prefix `json:"prefix"`
	// Sent says whether nvad sent it to the instance, Learned whether the instance has it
	// from nvad, Back whether nvad received it from the instance.
	Sent    Cell `json:"sent"`
	Learned Cell `json:"learned"`
	// NICs says for each NIC of Report.NICs whether its effective route for just this
	// prefix leads where nvad said.
	NICs []Cell `json:"nics"`
	Back Cell   `json:"back"`
	// InOrder says that nothing is wrong with the row. What was not seen is not wrong.
	InOrder bool `json:"in_order"`
	// Codes are those of the findings that explain what is not as nvad wants it.
	Codes []Code `json:"codes"`
	// Note explains a difference that is no fault, such as a route that nvad has withdrawn
	// and Azure has not removed yet.
	Note string `json:"note,omitempty"`
}

// Cell is one cell of a Row.
type Cell struct {
	State State `json:"state"`
	// Via is the other way by which the prefix is reached: addresses, or the name and type
	// of a user-defined route.
	Via string `json:"via,omitempty"`
}

// State is the answer in a Cell.
type State string

// The states of a Cell.
const (
	Yes     State = "yes"
	No      State = "no"
	NotSeen State = "not-seen" // it could not be read
	Other   State = "other"    // the prefix is there, and leads elsewhere
)

// Severity says how bad a Finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // traffic or routes are lost
	Warning Severity = "warning" // they may be, after the next change or failure
	Info    Severity = "info"    // an operator may want to know; it may well be intended
)

// Finding is one cause of differences, with what mends it. One cause is one Finding,
// however many prefixes it concerns, and a cause that follows from another is none.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Object has to be changed: a resource ID, or the address of a neighbor.
	Object string `json:"object"`
	// Name is Object's name for people.
	Name string `json:"name"`
	// Prefixes are the first of those concerned, in ascending order; PrefixCount counts all.
	Prefixes    []netip.Prefix `json:"prefixes"`
	PrefixCount int            `json:"prefix_count"`
	// Instances are the instances of Route Servers that it concerns.
	Instances []netip.Addr `json:"instances"`
	// Reason is one sentence.
	Reason string `json:"reason"`
	// Mend has the steps to take, in this order. It is complete, and changes nothing else.
	Mend []Step `json:"mend"`
}

// Step is one step of a mend.
type Step struct {
	In   Where  `json:"in"`
	Text string `json:"text"`
}

// Where says where the text of a Step belongs.
type Where string

// The places of a Step.
const (
	InShell Where = "shell"     // a command of az, nvactl or nvad
	InFile  Where = "nvad.toml" // lines for the file; nvactl reload applies them
	InWords Where = "words"     // what no command can do
)

// NotJudged is a part of Azure that could not be read, and what therefore is not judged.
type NotJudged struct {
	Missing
	// Effect is a sentence that says what is not judged.
	Effect string `json:"effect"`
}

// Options change what a Report has.
type Options struct {
	// Listed bounds Finding.Prefixes; 0 means 10.
	Listed int
}

// Worst returns the highest severity of the findings; empty if there are none.
func (r *Report) Worst() Severity {
	if len(r.Findings) == 0 {
		return ""
	}
	return r.Findings[0].Severity
}
