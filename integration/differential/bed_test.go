package differential

import (
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
)

// Namespaces of a bed: the daemon's, and its neighbors'.
const ours, theirs = "daemon", "peers"

type bed = netbed.Bed

// newBed creates a daemon's namespace and one for its neighbors, connects them with one link,
// and runs ip(8) commands in each. The link is eth0 at both ends.
func newBed(t *testing.T, daemon, peers []string) *bed {
	t.Helper()
	b := netbed.New(t, ours, theirs)
	b.Join(ours, "eth0", nil, theirs, "eth0", nil)
	b.Batch(ours, daemon...)
	b.Batch(theirs, peers...)
	return b
}
