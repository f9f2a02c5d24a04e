package speaker

// Malformed says what was wrong with a received UPDATE and what became of it.
// Where several things were wrong it is the first of those with the strongest
// action (RFC 7606 3 h).
type Malformed struct {
	Action    Action
	Class     Class
	Attribute uint8 // type code of the path attribute; 0: it was not one attribute
	// Text names the attribute, what was wrong, and the rule: "COMMUNITIES has 3
	// octets (RFC 7606 7.8)". It is at most a line long, whatever was received.
	Text string
	// Routes is how many prefixes at the end of Update.Withdrawn were announced
	// and are treated as withdrawn.
	Routes int
}

// String is the action and the text, as the log has it; empty for nil.
func (m *Malformed) String() string {
	if m == nil {
		return ""
	}
	return m.Action.Words() + ": " + m.Text
}

// Action is what RFC 7606 2 prescribes for an error, the weakest first.
type Action uint8

// Actions.
const (
	AttributeDiscard Action = iota // the attribute is dropped, the routes are taken
	TreatAsWithdraw                // the announced routes are withdrawn
	SessionReset                   // the session ends with a NOTIFICATION
	Actions                        // how many there are
)

// String is the action as metrics and JSON name it.
func (a Action) String() string {
	return [...]string{"attribute-discard", "treat-as-withdraw", "session-reset"}[a]
}

// Words is what happened, to be read by people.
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
	UnknownWellKnown              // an attribute claims to be well-known, and is not known
	OverLimit                     // more than this router takes
	Classes                       // how many there are
)

// String is the class as metrics and JSON name it.
func (c Class) String() string {
	return [...]string{"frame", "prefix", "flags", "length", "value", "duplicate", "missing", "unrecognized", "limit"}[c]
}

// MalformedCounts are numbers of malformed UPDATEs since the neighbor was
// configured. Each UPDATE counts once in both.
type MalformedCounts struct {
	ByAction [Actions]uint64
	ByClass  [Classes]uint64
}

// Total is the number of malformed UPDATEs.
func (c MalformedCounts) Total() uint64 {
	n := uint64(0)
	for _, a := range c.ByAction {
		n += a
	}
	return n
}
