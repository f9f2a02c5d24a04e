package speaker

// Malformed describes an error in a received UPDATE and what was done about it. Of several
// errors it is the first with the strongest action (RFC 7606 3 h).
type Malformed struct {
	Action    Action
	Class     Class
	Attribute uint8 // type code of the path attribute; 0: the error is not in one
	// Text names the attribute, the error and the rule: "COMMUNITIES has 3 octets (RFC
	// 7606 7.8)". It is at most a line long, whatever was received.
	Text string
	// Routes is the number of prefixes at the end of Update.Withdrawn that were announced
	// and are treated as withdrawn.
	Routes int
}

// String returns the action and the text for the log; it is empty for nil.
func (m *Malformed) String() string {
	if m == nil {
		return ""
	}
	return m.Action.Words() + ": " + m.Text
}

// Action is how an error is handled, as RFC 7606 2 defines it; the weakest comes first.
type Action uint8

// Actions.
const (
	AttributeDiscard Action = iota // the attribute is dropped, the routes are accepted
	TreatAsWithdraw                // the announced routes are withdrawn
	SessionReset                   // the session ends with a NOTIFICATION
	Actions                        // how many there are
)

// String returns the name in metrics and JSON.
func (a Action) String() string {
	return [...]string{"attribute-discard", "treat-as-withdraw", "session-reset"}[a]
}

// Words says for people what happened.
func (a Action) Words() string {
	return [...]string{"attribute discarded", "treated as withdrawn", "session reset"}[a]
}

// Class is the kind of an error in an UPDATE.
type Class uint8

// Classes.
const (
	WrongFrame       Class = iota // a field exceeds the message, or an attribute the attributes
	WrongPrefix                   // a prefix is too long, or cut
	WrongFlags                    // an attribute's flags are not those of its type
	WrongLength                   // an attribute has more or fewer octets than its type may have
	WrongValue                    // an attribute holds what its type may not hold
	Duplicate                     // an attribute appears twice
	Missing                       // a mandatory attribute is absent
	UnknownWellKnown              // an attribute claims to be well-known, and nvad does not know it
	OverLimit                     // more than this router accepts
	Classes                       // how many there are
)

// String returns the name in metrics and JSON.
func (c Class) String() string {
	return [...]string{"frame", "prefix", "flags", "length", "value", "duplicate", "missing", "unrecognized", "limit"}[c]
}

// MalformedCounts counts malformed UPDATEs since the neighbor was configured. Each UPDATE
// counts once in both.
type MalformedCounts struct {
	ByAction [Actions]uint64
	ByClass  [Classes]uint64
}

// Total returns the number of malformed UPDATEs.
func (c MalformedCounts) Total() uint64 {
	n := uint64(0)
	for _, a := range c.ByAction {
		n += a
	}
	return n
}
