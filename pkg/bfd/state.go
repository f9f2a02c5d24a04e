package bfd

import "strconv"

// State is a session state (RFC 5880 4.1, Sta).
type State uint8

// States, with their values on the wire.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String is the name of RFC 5880.
func (s State) String() string {
	if s > Up {
		return "State(" + strconv.Itoa(int(s)) + ")"
	}
	return [...]string{"AdminDown", "Down", "Init", "Up"}[s]
}

// Diag is a diagnostic code: why a session last changed its state (RFC 5880 4.1).
type Diag uint8

// Diagnostic codes of RFC 5880 4.1.
const (
	DiagNone Diag = iota
	DiagDetectionExpired
	DiagEchoFailed
	DiagNeighborDown
	DiagForwardingReset
	DiagPathDown
	DiagConcatenatedPathDown
	DiagAdminDown
	DiagReverseConcatenatedPathDown
)

var diagText = [...]string{
	"no diagnostic", "control detection time expired", "echo function failed", "neighbor signaled session down",
	"forwarding plane reset", "path down", "concatenated path down", "administratively down",
	"reverse concatenated path down",
}

// String is the wording of RFC 5880 4.1.
func (d Diag) String() string {
	if int(d) >= len(diagText) {
		return "diagnostic " + strconv.Itoa(int(d))
	}
	return diagText[d]
}
