package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/debroot"
	"github.com/nvad/nvad/integration/lab"
)

// patience is the limit for a boot or a shutdown, which take some seconds on an idle host.
const patience = 2 * time.Minute

// Make creates a machine for a test, off, and removes it at the end of the test. If the test
// has failed, it prints the machine's journal first.
func Make(t testing.TB, o Options) *Machine {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "debootstrap", "systemd-nspawn", "journalctl", "nsenter")
	m, err := New(o)
	if errors.As(err, &debroot.Missing{}) {
		lab.NotRun(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s: console:\n%s", o.Name, m.console())
			t.Logf("%s: journal:\n%s", o.Name, m.Journal())
		}
		if err := m.Remove(); err != nil {
			t.Errorf("remove %s: %v", o.Name, err)
		}
	})
	return m
}

func (m *Machine) console() string {
	text, _ := os.ReadFile(filepath.Join(m.dir, "console.log"))
	return string(text)
}

// Boot starts the machine and waits until it is up.
func (m *Machine) Boot(t testing.TB) {
	t.Helper()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	m.Booted(t)
}

// Booted waits until the machine has booted completely.
func (m *Machine) Booted(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.AwaitBooted(ctx); err != nil {
		t.Fatal(err)
	}
}

// Exec runs a command in the machine and returns its output. It fails the test if the command
// fails.
func (m *Machine) Exec(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := m.Output(t.Context(), argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Sh runs a line of shell in the machine, as Exec does.
func (m *Machine) Sh(t testing.TB, line string) string {
	t.Helper()
	return m.Exec(t, "sh", "-ec", line)
}

// CopyIn copies a file of the host into the machine, on or off, with its mode.
func (m *Machine) CopyIn(t testing.TB, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Write(to, string(data)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(m.Root(), to), info.Mode().Perm()); err != nil {
		t.Fatal(err)
	}
}

// Put writes a file into the machine, as Write does.
func (m *Machine) Put(t testing.TB, path, text string) {
	t.Helper()
	if err := m.Write(path, text); err != nil {
		t.Fatal(err)
	}
}

// Networkd returns a file for systemd-networkd that gives eth0 an address with its prefix
// length, and routes, each "PREFIX GATEWAY".
func Networkd(address string, routes ...string) string {
	var b strings.Builder
	b.WriteString("[Match]\nName=eth0\n\n[Network]\nAddress=" + address + "\nLinkLocalAddressing=no\n")
	for _, r := range routes {
		prefix, gateway, _ := strings.Cut(r, " ")
		b.WriteString("\n[Route]\nDestination=" + prefix + "\nGateway=" + gateway + "\n")
	}
	return b.String()
}

var debs struct {
	sync.Mutex
	paths map[string]string
}

// Deb builds the Debian package of this tree with the given version, as `make deb` does, once
// for each test binary. [lab.Main] removes it.
func Deb(t testing.TB, version string) string {
	t.Helper()
	debs.Lock()
	defer debs.Unlock()
	if path, ok := debs.paths[version]; ok {
		return path
	}
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(lab.BuildDir(), "deb-"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := BuildDeb(t, root, dir, version)
	if debs.paths == nil {
		debs.paths = map[string]string{}
	}
	debs.paths[version] = path
	return path
}

// BuildDeb builds the package of the tree at root into dir and returns its path.
func BuildDeb(t testing.TB, root, dir, version string) string {
	t.Helper()
	cmd := exec.Command("make", "-s", "-C", root, "deb", "DIST="+dir, "VERSION=v"+version, "DEB_VERSION="+version, "SOURCE_DATE_EPOCH=1700000000")
	if err := lab.AsInvoker(cmd, dir); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		if !haveTools(root) {
			lab.NotRun(t, "the Debian package: the tools that make it can't be downloaded")
		}
		t.Fatalf("make deb: %v\n%s", err, out)
	}
	return filepath.Join(dir, "nvad_"+version+"_"+runtime.GOARCH+".deb")
}

// haveTools reports whether the modules of the tools that make the package are there.
func haveTools(root string) bool {
	cmd := exec.Command("go", "list", "-modfile=packaging/tools/go.mod", "-deps",
		"github.com/goreleaser/nfpm/v2/cmd/nfpm", "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOPROXY=off")
	return cmd.Run() == nil
}
