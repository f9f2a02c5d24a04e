package azure

// Claim is something that nvad relies on about Azure, and whether it was seen to hold.
type Claim struct {
	// ID is stable.
	ID string `json:"id"`
	// Sentence is the claim.
	Sentence string `json:"sentence"`
	Result   Result `json:"result"`
	// Evidence is one line without subscriptions, names or public addresses.
	Evidence string `json:"evidence"`
}

// Result says whether a Claim holds.
type Result string

// The results.
const (
	Holds       Result = "holds"
	DoesNotHold Result = "does-not-hold"
	// NotObserved: the Snapshot has nothing that could prove or disprove the claim.
	NotObserved Result = "not-seen"
)

// Verify checks every claim about Azure on which nvad relies. The answer may be sent to
// others: it names no subscription, resource, tenant or public address.
func Verify(s Snapshot, self Self) []Claim {
	return nil
}
