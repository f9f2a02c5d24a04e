package metrics

import (
	"time"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Sample is all that a scrape tells.
type Sample struct {
	Build   telemetry.BuildInfo
	Engine  engine.Sample
	Healthy bool // what /healthz answers
	Plane   dataplane.Counters
	Waiting int // changes of routes that the forwarding plane has not taken yet
	Tunnels []tunnel.Status
	BFD     bfd.Snapshot
	Reloads Reloads
	// Degraded is how many things nvad does without for now, by what kind they are of:
	// one of [Degradations].
	Degraded map[string]int
}

// Degradations are the kinds of what nvad may have to do without: the configuration
// that it should run, a history on disk, its lock, a port or socket to listen on.
var Degradations = []string{"configuration", "history", "listen", "lock"}

// Reloads are the reloads of the configuration since the start.
type Reloads struct {
	Applied, Refused uint64
	Last             time.Time // zero: there was none
	LastApplied      bool      // also where there was none
}
