package stable

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/nvad/nvad/integration/lab"
	_ "github.com/nvad/nvad/proto/nvad/v1"
)

var update = flag.Bool("update", false, "write the interface of this tree as that of the release")

const released = "testdata/released.txt"

// surface is the interface as lines. Each says what something is called and, where a
// program depends on it, of which type it is. The type of a key is left out, since a key may
// take more values in a later release.
type surface map[string]bool

func (s surface) add(format string, args ...any) { s[fmt.Sprintf(format, args...)] = true }

// TestNothingWentAway: what the last release had is still there.
func TestNothingWentAway(t *testing.T) {
	now := current(t)
	if *update {
		text := strings.Join(slices.Sorted(maps.Keys(now)), "\n") + "\n"
		if err := os.WriteFile(released, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, was := range gone(t, now) {
		t.Errorf("the last release had this, and it is gone or has changed: %s", was)
	}
	if t.Failed() {
		t.Log("docs/compatibility.md says what is stable, and how it is deprecated")
	}
}

// gone returns what the last release had and now lacks.
func gone(t *testing.T, now surface) (out []string) {
	t.Helper()
	text, err := os.ReadFile(released)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); !now[line] {
			out = append(out, line)
		}
	}
	return out
}

// TestEachKindCounts: of each kind of interface, a line that goes is noticed.
func TestEachKindCounts(t *testing.T) {
	now := current(t)
	for _, line := range []string{
		"proto nvad.v1.Status.asn = 2 uint32",
		"proto nvad.v1.Nvad.GetStatus(nvad.v1.GetStatusRequest) nvad.v1.Status",
		"proto nvad.v1.RESET_KIND_SOFT_IN = 1",
		"key peer-group.remote-asn",
		"key asn",
		"key match.prefix-list",
		"metric nvad_neighbor_established: gauge neighbor",
		"log neighbor",
		"command nvactl routes received",
		"flag nvactl --socket",
		"flag nvactl azure diff --from-snapshot",
		"json explain .prefix",
	} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(now)), func(l string) bool { return strings.HasPrefix(l, line) }) {
			t.Errorf("the interface has no line %q", line)
		}
		without := maps.Clone(now)
		maps.DeleteFunc(without, func(l string, _ bool) bool { return strings.HasPrefix(l, line) })
		if len(gone(t, without)) == len(gone(t, now)) {
			t.Errorf("nobody notices that %q is gone", line)
		}
	}
}

// current returns the interface of this tree.
func current(t *testing.T) surface {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	s := surface{}
	protoregistry.GlobalFiles.RangeFilesByPackage("nvad.v1", func(f protoreflect.FileDescriptor) bool {
		s.addProto(f)
		return true
	})
	s.addKeys(page(t, root, "docs/reference.md"))
	s.addMetrics(page(t, root, "docs/metrics.md"))
	s.addLog(page(t, root, "docs/logs.md"))
	s.addCommands(page(t, root, "docs/cli.md"))
	goldens, _ := filepath.Glob(filepath.Join(root, "pkg/ctl/testdata/*.json"))
	for _, file := range goldens {
		s.addJSON(t, file)
	}
	return s
}

func page(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s surface) addProto(f protoreflect.FileDescriptor) {
	for i := range f.Messages().Len() {
		m := f.Messages().Get(i)
		for j := range m.Fields().Len() {
			d := m.Fields().Get(j)
			kind := d.Kind().String()
			switch {
			case d.IsMap():
				kind = "map"
			case d.Message() != nil:
				kind = string(d.Message().FullName())
			case d.Enum() != nil:
				kind = string(d.Enum().FullName())
			}
			s.add("proto %s = %d %s %s", d.FullName(), d.Number(), kind, d.Cardinality())
		}
	}
	for i := range f.Enums().Len() {
		for values, j := f.Enums().Get(i).Values(), 0; j < values.Len(); j++ {
			s.add("proto %s = %d", values.Get(j).FullName(), values.Get(j).Number())
		}
	}
	for i := range f.Services().Len() {
		for methods, j := f.Services().Get(i).Methods(), 0; j < methods.Len(); j++ {
			m := methods.Get(j)
			s.add("proto %s(%s) %s streams=%t", m.FullName(), m.Input().FullName(), m.Output().FullName(), m.IsStreamingServer())
		}
	}
}

var (
	tableHeading = regexp.MustCompile("^## `?\\[*([a-z.-]+)")
	keyLine      = regexp.MustCompile("^- \\*\\*`([^`]+)`\\*\\* ·")
	metricLine   = regexp.MustCompile("^\\| `(nvad_[a-z_]+)` \\| (\\w+) \\| ([^|]*) \\|")
	logLine      = regexp.MustCompile("^\\| `([a-z_]+)` \\|")
	cliHeading   = regexp.MustCompile(`^#{2,4} (nva(?:d|ctl)[a-z -]*)$`)
	flagLine     = regexp.MustCompile(`^ +(?:-\w, )?(--[a-z-]+)`)
)

func (s surface) addKeys(text string) {
	table := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "## ") {
			table = ""
			if m := tableHeading.FindStringSubmatch(line); m != nil {
				table = strings.TrimSuffix(m[1], ".") + "."
			}
		}
		if m := keyLine.FindStringSubmatch(line); m != nil {
			s.add("key %s%s", table, m[1])
		}
	}
}

func (s surface) addMetrics(text string) {
	for line := range strings.Lines(text) {
		if m := metricLine.FindStringSubmatch(line); m != nil {
			s.add("metric %s: %s", m[1], strings.TrimSpace(m[2]+" "+strings.TrimSpace(m[3])))
		}
	}
}

func (s surface) addLog(text string) {
	_, text, _ = strings.Cut(text, "\n## Keys\n")
	for line := range strings.Lines(text) {
		if m := logLine.FindStringSubmatch(line); m != nil {
			s.add("log %s", m[1])
		}
	}
}

func (s surface) addCommands(text string) {
	command := ""
	for line := range strings.Lines(text) {
		if m := cliHeading.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			command = m[1]
			s.add("command %s", command)
		} else if m := flagLine.FindStringSubmatch(line); m != nil {
			s.add("flag %s %s", command, m[1])
		}
	}
}

// addJSON adds the keys of a golden file of nvactl's JSON.
func (s surface) addJSON(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The first word of the file's name is that of the command.
	name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "-")
	for d := json.NewDecoder(strings.NewReader(string(text))); d.More(); {
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		s.walk(name, "", v)
	}
}

func (s surface) walk(name, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			s.add("json %s %s.%s", name, path, key)
			s.walk(name, path+"."+key, below)
		}
	case []any:
		for _, below := range v {
			s.walk(name, path+"[]", below)
		}
	}
}
