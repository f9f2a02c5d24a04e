package speaker

// Notification is a NOTIFICATION message (RFC 4271 4.5).
type Notification struct {
	Code    uint8
	Subcode uint8
	Message string // shutdown communication (RFC 9003), if any
	Detail  string // the data field in words; not sent
	Sent    bool   // by nvad; otherwise it was received
}

// Codes of NOTIFICATION messages (RFC 4271 4.5, RFC 7313 5, RFC 9687 4).
const (
	CodeHeader uint8 = iota + 1
	CodeOpen
	CodeUpdate
	CodeHoldTimer
	CodeFSM
	CodeCease
	CodeRefresh
	CodeSendHoldTimer
)

// Subcodes of Cease (RFC 4486 4, RFC 8538 3.1, RFC 9384 3).
const (
	CeaseMaxPrefixes uint8 = iota + 1
	CeaseShutdown
	CeaseDeconfigured
	CeaseReset
	CeaseRejected
	CeaseConfigChange
	CeaseCollision
	CeaseOutOfResources
	CeaseHardReset
	CeaseBFDDown
)

// Cease returns a NOTIFICATION of code Cease for nvad to send.
func Cease(subcode uint8) Notification {
	return Notification{Code: CodeCease, Subcode: subcode, Sent: true}
}
