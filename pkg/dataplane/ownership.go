package dataplane

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/fib"
)

// ownership remembers across restarts which routes without next-hop object are
// nvad's: those of its protocols, but for the ones it found when it first
// started and did not take over. The file names the boot and the network
// namespace that it speaks of; in another it says nothing.
//
// Lines of the file: the namespace; "plain" or "objects", how unicast routes were
// installed; then one foreign route each, as prefix and metric.
type ownership struct {
	path, namespace string
	known           bool // an earlier run was here
	plain           bool // and installed unicast routes without objects
	foreign         []string
	written         string
}

func readOwnership(path, namespace string) (*ownership, error) {
	o := &ownership{path: path, namespace: namespace}
	lines, err := readState(path)
	if err != nil {
		return o, err
	}
	if len(lines) >= 2 && lines[0] == namespace {
		o.known, o.plain, o.foreign = true, lines[1] == "plain", lines[2:]
	}
	return o, nil
}

// owns recognises a route that an earlier run installed.
func (o *ownership) owns(r fib.KernelRoute) bool {
	return o.known && (o.plain || r.Kind != fib.Unicast) && !slices.Contains(o.foreign, placeText(r.Prefix.String(), r.Metric))
}

func placeText(prefix string, metric uint32) string { return fmt.Sprintf("%s %d", prefix, metric) }

// note writes what the next run needs to know, if it changed.
func (o *ownership) note(f *fib.FIB) error {
	if o.path == "" {
		return nil
	}
	lines := []string{o.namespace, "objects"}
	if f.Plain() {
		lines[1] = "plain"
	}
	for _, r := range f.Leftovers() {
		lines = append(lines, placeText(r.Prefix.String(), r.Metric))
	}
	text := strings.Join(lines, "\n")
	if text == o.written {
		return nil
	}
	if err := writeState(o.path, lines); err != nil {
		return err
	}
	o.written = text
	return nil
}

// forget removes the file: nothing of nvad's is left.
func (o *ownership) forget() error { return removeState(o.path) }
