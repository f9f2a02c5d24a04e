package dataplane

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// ownership recognises plain routes of an earlier run, to adopt them.
//
// A route that refers to an object in nvad's range is nvad's, but a plain route has only its
// protocol, and FRR's has the same one. So nvad notes in a file which routes with its
// protocols are not its own: those that it found at its first start and did not take
// over. All others are nvad's. The file says for which boot and network namespace that is
// true; anywhere else it counts for nothing.
//
// Lines of the file: the namespace; "plain" or "objects", depending on how unicast routes were
// installed; then one foreign route in each line, as prefix and metric.
type ownership struct {
	path, namespace string
	known           bool // there was an earlier run
	plain           bool // which installed unicast routes without objects
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

// owns reports whether an earlier run installed a route.
func (o *ownership) owns(r fib.KernelRoute) bool {
	return o.known && (o.plain || r.Kind != fib.Unicast) && !slices.Contains(o.foreign, placeText(r.Prefix.String(), r.Metric))
}

func placeText(prefix string, metric uint32) string { return fmt.Sprintf("%s %d", prefix, metric) }

// note updates the file for the next run.
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

// forget removes the file, because nothing of nvad's is left.
func (o *ownership) forget() error { return removeState(o.path) }

// maxState bounds the size of a state file in bytes. A million foreign routes take 30 MB.
const maxState = 64 << 20

// readState returns the lines of a state file; none if there is no file. The daemon's user owns
// the file, and root reads it for `nvad flush`. So it neither follows a link nor waits for
// a pipe that somebody put in its place.
func readState(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxState {
		return nil, fmt.Errorf("state file %s: no file of at most %d MB", path, maxState>>20)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n"), nil
}

// writeState replaces a state file. It writes to a temporary file with a random name first: in
// a directory such as /tmp, another user could have put a link at a name that can be guessed.
func writeState(path string, lines []string) error {
	text := strings.Join(lines, "\n") + "\n"
	err := renameio.WriteFile(path, []byte(text), 0o600, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}

// removeState removes a state file.
func removeState(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}
