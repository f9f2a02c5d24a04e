// Package lab builds Azure in network namespaces: VNets with their subnets and peerings, Route
// Server, ExpressRoute gateways and circuits, VMs, and NVAs that run nvad, FRR or BIRD. nvad's
// end-to-end tests run in it, and `make lab` demonstrates it.
//
// Every VNet has one router namespace whose kernel routes are the effective routes of every
// NIC in the VNet. Nothing else forwards between NICs: ports are point-to-point and the router
// answers ARP for all addresses, so there is no multicast and no broadcast, as in Azure. Each
// emulated control plane is a separate process in its own namespace (packages under emulator).
//
// A lab owns everything whose name begins with its prefix: network namespaces, a state
// directory with sockets, logs and process files, and FRR's directories. It ends a process
// only if both its id and its start time are those recorded when the lab started it.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Lab is a lab that is running, or that a dead process has left behind.
type Lab struct {
	Options  Options
	Scenario Scenario
	Topology Topology

	net *network
	dir string
}

func newLab(o Options) (*Lab, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := FindScenario(o.Scenario)
	if err != nil {
		return nil, err
	}
	t := s.topology(o)
	if o.Manager {
		t.addRouteTables()
	}
	return &Lab{Options: o, Scenario: s, Topology: t, net: plan(o.Prefix, t), dir: o.dir()}, nil
}

// Create builds a lab and starts everything in it. It returns once the emulated parts answer,
// which is before routes have converged. On an error it removes what it has built.
func Create(ctx context.Context, o Options) (*Lab, error) {
	l, err := newLab(o)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("a lab %q exists already, take it down first: %w", l.Options.Prefix, err)
	}
	if err := l.create(ctx); err != nil {
		return nil, errors.Join(err, l.logs(), l.Down())
	}
	return l, nil
}

func (l *Lab) create(ctx context.Context) error {
	for _, sub := range []string{"conf", "log", "proc", "run", "sock"} {
		if err := os.Mkdir(filepath.Join(l.dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := l.save(); err != nil {
		return err
	}
	if err := l.net.build(); err != nil {
		return err
	}
	if err := l.startAzure(ctx); err != nil {
		return err
	}
	if err := l.startManager(ctx); err != nil {
		return err
	}
	if err := l.createNVAs(); err != nil {
		return err
	}
	return l.writeSite()
}

// createNVAs sets up all NVAs before it starts any, so that both ends of a tunnel exist when
// the first NVA begins to send.
func (l *Lab) createNVAs() error {
	for name := range l.Options.NVAs {
		if err := l.prepareNVA(name); err != nil {
			return err
		}
	}
	for name := range l.Options.NVAs {
		if err := l.StartNVA(name); err != nil {
			return err
		}
	}
	return nil
}

// Down ends the lab's processes and removes everything that the lab owns. It is no error if
// something is already gone.
func (l *Lab) Down() error {
	return errors.Join(
		l.endAll(),
		l.net.remove(),
		l.removeEtc(),
		l.removeFRR(),
		os.RemoveAll(l.dir),
	)
}

// Namespace returns the network namespace of a node: a VM, or one of the emulated parts
// (net-VNET, rs-VNET-0, ergw-VNET, msee-CIRCUIT, site-CIRCUIT).
func (l *Lab) Namespace(node string) string { return l.net.ns(node) }

// Dir returns the lab's state directory. The logs of all processes are below log.
func (l *Lab) Dir() string { return l.dir }

// logs returns the ends of all logs as an error, for a lab that does not come up.
func (l *Lab) logs() error {
	files, err := filepath.Glob(l.path("log", "*.log"))
	errs := []error{err}
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && len(data) > 0 {
			errs = append(errs, fmt.Errorf("%s:\n%s", filepath.Base(file), data[max(0, len(data)-logTail):]))
		}
	}
	return errors.Join(errs...)
}

// logTail is how much of each log is shown.
const logTail = 4000

func (l *Lab) save() error {
	data, err := json.MarshalIndent(l.Options, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.dir, "lab.json"), data, 0o644)
}

// Open finds the lab with the given prefix.
func Open(prefix string) (*Lab, error) {
	o := Options{Prefix: prefix}
	data, err := os.ReadFile(filepath.Join(o.dir(), "lab.json"))
	if err != nil {
		return nil, fmt.Errorf("no lab %q is up: %w", prefix, err)
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("state of lab %q: %w", prefix, err)
	}
	return newLab(o)
}

// Sweep takes down labs whose owner died before it could, and removes what the owner had
// built.
func Sweep() error {
	entries, err := os.ReadDir(runDir)
	if errors.Is(err, os.ErrNotExist) {
		return sweepBuilds()
	}
	if err != nil {
		return err
	}
	errs := []error{sweepBuilds()}
	for _, e := range entries {
		l, err := Open(e.Name())
		if err != nil || l.Options.Owner == 0 || alive(l.Options.Owner) {
			continue
		}
		errs = append(errs, l.Down())
	}
	return errors.Join(errs...)
}

func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// Options says which lab to build.
type Options struct {
	// Scenario is the name of one of Scenarios, DefaultScenario if empty.
	Scenario string
	// Prefix is the beginning of the name of everything the lab owns. Labs with different
	// prefixes do not affect each other.
	Prefix string
	// NVAs says what runs on each NVA, by the name of its VM or of its VNet. An NVA that is
	// missing here runs nothing.
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
	// CircuitLimit is how many routes a circuit accepts from Azure, 1,000 if 0.
	// OnPremisesLimit is how many a gateway accepts from a circuit, 4,000 if 0.
	CircuitLimit    int
	OnPremisesLimit int
	// Dampening is how long a VNet delays a second change of a prefix: 30 s if 0, not at all
	// if negative.
	Dampening time.Duration
	// Emulator is the binary of cmd/azure that runs the emulated parts.
	Emulator string
	// Nvactl is the path of nvactl, by default the one beside Emulator.
	Nvactl string
	// Manager starts Azure Resource Manager and the metadata services, which VMs then reach.
	Manager bool
	// Role is the file of the role that the VMs' identities have in the resource group; empty:
	// they may do everything.
	Role string
	// Owner is the process that the lab must not outlive. If it is 0, the lab stays until it
	// is taken down.
	Owner int
}

// DefaultPrefix is the prefix of the lab that the command line manages.
const DefaultPrefix = "nvadlab"

// runDir contains one state directory for each lab.
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
