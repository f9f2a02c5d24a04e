package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Lab is a lab that is up, or has been left by a process that died.
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
	return &Lab{Options: o, Scenario: s, Topology: t, net: plan(o.Prefix, t), dir: o.dir()}, nil
}

// Create builds a lab and starts everything in it. It returns once the emulated
// parts answer, which is before routes have converged. On an error, what has
// been built is removed again.
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
	return l.createNVAs()
}

// createNVAs sets up all NVAs before it starts any, so that both ends of a
// tunnel are there when the first begins to talk.
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

// Down ends the lab's processes and removes all that it owns. What is missing
// already is no error.
func (l *Lab) Down() error {
	return errors.Join(
		l.endAll(),
		l.net.remove(),
		l.removeFRR(),
		os.RemoveAll(l.dir),
	)
}

// Namespace is the network namespace of a node: a VM, or one of the emulated
// parts (net-VNET, rs-VNET-0, ergw-VNET, msee-CIRCUIT, site-CIRCUIT).
func (l *Lab) Namespace(node string) string { return l.net.ns(node) }

// Dir is the lab's state directory; logs of all processes are below log.
func (l *Lab) Dir() string { return l.dir }

// logs returns the ends of all logs as an error, which is what they are there
// for when a lab does not come up.
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

// logTail is how much of a log is shown.
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

// Sweep takes down labs whose owner has died without doing so, and removes what
// it had built.
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
