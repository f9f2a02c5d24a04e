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
// over. All others are nvad's.
//
// Lines of the file: "plain" or "objects", depending on how unicast routes were installed;
// then one foreign route in each line, as prefix and metric.
type ownership struct {
	stateFile
	known   bool // there was an earlier run
	plain   bool // which installed unicast routes without objects
	foreign []string
	written string
}

func readOwnership(path, namespace string) (*ownership, error) {
	o := &ownership{stateFile: stateFile{path, namespace}}
	lines, err := o.read()
	if len(lines) > 0 {
		o.known, o.plain, o.foreign = true, lines[0] == "plain", lines[1:]
	}
	return o, err
}

// owns reports whether an earlier run installed a route.
func (o *ownership) owns(r fib.KernelRoute) bool {
	return o.known && (o.plain || r.Kind != fib.Unicast) && !slices.Contains(o.foreign, placeText(r.Prefix.String(), r.Metric))
}

func placeText(prefix string, metric uint32) string { return fmt.Sprintf("%s %d", prefix, metric) }

// note updates the file for the next run.
func (o *ownership) note(f *fib.FIB) error {
	lines := []string{"objects"}
	if f.Plain() {
		lines[0] = "plain"
	}
	for _, r := range f.Leftovers() {
		lines = append(lines, placeText(r.Prefix.String(), r.Metric))
	}
	text := strings.Join(lines, "\n")
	if text == o.written {
		return nil
	}
	if err := o.write(lines); err != nil {
		return err
	}
	o.written = text
	return nil
}

// stateFile remembers something across restarts. Its first line says for which boot and network
// namespace that is true; anywhere else it counts for nothing. Without a path, it remembers
// nothing.
type stateFile struct{ path, namespace string }

// maxState bounds the size of a state file in bytes. A million foreign routes take 30 MB.
const maxState = 64 << 20

// read returns the lines behind the first; none if there is no file, or it is for another
// namespace. The daemon's user owns the file, and root reads it for `nvad flush`. So read
// neither follows a link nor waits for a pipe that somebody put in its place.
func (s stateFile) read() ([]string, error) {
	if s.path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(s.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxState {
		return nil, fmt.Errorf("state file %s: no file of at most %d MB", s.path, maxState>>20)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if lines[0] != s.namespace {
		return nil, nil
	}
	return lines[1:], nil
}

// write replaces the file. It writes to a temporary file with a random name first: in a
// directory such as /tmp, another user could have put a link at a name that can be guessed.
func (s stateFile) write(lines []string) error {
	if s.path == "" {
		return nil
	}
	text := s.namespace + "\n" + strings.Join(lines, "\n") + "\n"
	err := renameio.WriteFile(s.path, []byte(text), 0o600, renameio.WithTempDir(filepath.Dir(s.path)), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}

// forget removes the file.
func (s stateFile) forget() error {
	if s.path == "" {
		return nil
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}
