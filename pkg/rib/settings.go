package rib

import (
	"net/netip"
	"reflect"

	"github.com/nvad/nvad/pkg/policy"
)

// Peer configures one neighbor. Its settings are grouped by what a change of them
// affects. SetPeer compares whole groups, so a field that is added to a group takes
// effect on a reload without any further code.
type Peer struct {
	Address netip.Addr
	SessionSettings
	ImportSettings
	SourceSettings
	ExportSettings
}

// SessionSettings are negotiated with the neighbor, or decide whether it is internal.
// The speaker resets the session when they change. Routes that graceful restart keeps
// meanwhile are evaluated again, by all that follows.
type SessionSettings struct {
	LocalASN  uint32 // that the neighbor is shown
	RemoteASN uint32
	Role      string // the neighbor's role (RFC 9234); empty: none
}

// SourceSettings belong to every route that the neighbor announces. They reach its
// import policy, the decision process, and the other neighbors' export policies. When
// they change, the neighbor's routes are imported and decided again, and both it and
// the others are advertised what follows.
type SourceSettings struct {
	Group           string // peer-group, which policies can match
	Domain          string // loop domain; empty: none
	Weight          uint32
	ReflectorClient bool
}

// ImportSettings decide which of the neighbor's routes are accepted. When they
// change, its routes are imported again.
type ImportSettings struct {
	Import         *policy.Program // never nil; without a policy it denies everything
	AllowASIn      int             // times this router's ASN may be in the path
	EnforceFirstAS bool
	AllowASSets    bool
	MaxReceived    int // prefixes to accept, the rest is rejected; 0: unlimited
	// MaxRejected, if it is set, says that MaxReceived counts accepted prefixes only. So many
	// others are stored, and the rest is dropped.
	MaxRejected int
}

// ExportSettings decide what the neighbor is advertised. When they change, the whole
// Loc-RIB is offered to it again.
type ExportSettings struct {
	Export           *policy.Program // never nil; without a policy it denies everything
	Default          *policy.Program // for the default route (default-originate); nil: none is originated
	NextHopSelf      bool
	NextHopSelfForce bool
	ASOverride       bool
	RemovePrivateAS  bool
	ReplacePrivateAS bool // with RemovePrivateAS: by this router's ASN
	MaxAdvertised    int  // prefixes of each family, the rest is held back; 0: unlimited
	Ignored          Ignored
}

// affected reports what a change from old to new affects: how the neighbor's routes
// are imported, what they are as a source for others, and what it is advertised.
func affected(old, new *Peer) (imports, source, exports bool) {
	source = !same(old.SessionSettings, new.SessionSettings) || !same(old.SourceSettings, new.SourceSettings)
	imports = source || !same(old.ImportSettings, new.ImportSettings)
	exports = source || !same(old.ExportSettings, new.ExportSettings)
	return imports, source, exports
}

// same reports whether two groups are equal in every field. Programs are equal if they
// treat every route alike; each reload compiles them anew, so their pointers differ.
func same[T any](a, b T) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		f, g := x.Field(i).Interface(), y.Field(i).Interface()
		if p, ok := f.(*policy.Program); ok {
			if !p.Equal(g.(*policy.Program)) {
				return false
			}
		} else if !reflect.DeepEqual(f, g) {
			return false
		}
	}
	return true
}
