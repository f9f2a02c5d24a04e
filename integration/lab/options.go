package lab

import (
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Options says which lab to build.
type Options struct {
	// Scenario is the name of one of Scenarios, DefaultScenario if empty.
	Scenario string
	// Prefix begins the names of everything the lab owns. Labs with
	// different prefixes do not meet.
	Prefix string
	// NVAs says what runs on each NVA, by the name of its VM or of its VNet.
	// One that is missing runs nothing.
	NVAs map[string]NVA
	// OnPremises adds a site, AS 64580 with 192.168.100.0/24, behind circuit01.
	OnPremises bool
	// NoBranchToBranch keeps the Route Servers from exchanging routes between
	// NVAs and gateways.
	NoBranchToBranch bool
	// RouteServerDials makes Route Server open sessions too.
	RouteServerDials bool
	// RouteLimit is how many routes an NVA may announce, 4,000 if 0.
	RouteLimit int
	// CircuitLimit is how many routes a circuit takes from Azure, 1,000 if 0, and
	// OnPremisesLimit how many a gateway takes from a circuit, 4,000 if 0.
	CircuitLimit    int
	OnPremisesLimit int
	// Dampening is how long a second change of a prefix in a VNet waits, 30 s if
	// 0, not at all if below.
	Dampening time.Duration
	// Preference is the hub routing preference, ExpressRoute if empty.
	Preference sdn.Preference
	// Emulator is the binary of cmd/azure that runs the emulated parts.
	Emulator string
	// Nvactl is nvactl's binary, the one beside Emulator if empty.
	Nvactl string
	// Owner is the process that the lab must not outlive, 0 if it is to stay
	// until it is taken down.
	Owner int
}

// DefaultPrefix is the prefix of the lab that the command line manages.
const DefaultPrefix = "nvadlab"

// runDir holds one state directory per lab.
const runDir = "/run/nvad-lab"

var prefixPattern = regexp.MustCompile(`^[a-z0-9]{1,16}$`)

func (o Options) withDefaults() (Options, error) {
	if o.Scenario == "" {
		o.Scenario = DefaultScenario
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if !prefixPattern.MatchString(o.Prefix) {
		return o, fmt.Errorf("prefix %q: want 1 to 16 small letters or digits", o.Prefix)
	}
	return o, nil
}

func (o Options) dir() string { return filepath.Join(runDir, o.Prefix) }
