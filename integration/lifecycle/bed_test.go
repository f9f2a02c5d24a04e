package lifecycle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) {
	sweep()
	os.Exit(lab.Main(m))
}

// Addresses on the link between the two namespaces. FRR listens on one of its
// own for each instance.
const (
	ourAddress = "10.0.0.4"
	peer1      = "10.0.0.1"
	peer2      = "10.0.0.2"
)

const namespacePrefix = "nvlc"

var beds atomic.Int32

// bed is two joined network namespaces, one for nvad and one for its neighbors,
// and a directory for their files.
type bed struct {
	*testing.T
	dir    string
	ours   string // name of nvad's namespace
	theirs string
	socket string
	config string
}

// newBed makes a bed. Everything in it ends with the test.
func newBed(t *testing.T) *bed {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "ip")
	lab.Build(t, "./cmd/nvad")
	lab.Build(t, "./cmd/nvactl")
	dir, err := os.MkdirTemp("", namespacePrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	prefix := fmt.Sprintf("%s%dx%d", namespacePrefix, os.Getpid(), beds.Add(1))
	b := &bed{
		T: t, dir: dir, ours: prefix + "a", theirs: prefix + "b",
		socket: filepath.Join(dir, "run", "nvad.sock"), config: filepath.Join(dir, "nvad.toml"),
	}
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{b.ours, b.theirs} {
		b.sh("ip netns add " + ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		b.sh("ip -n " + ns + " link set lo up")
	}
	b.connect()
	b.sh("ip -n " + b.ours + " addr add " + ourAddress + "/24 dev eth0")
	for _, a := range []string{peer1, peer2} {
		b.sh("ip -n " + b.theirs + " addr add " + a + "/24 dev eth0")
	}
	return b
}

// connect joins the two namespaces by a veth pair that is up.
func (b *bed) connect() {
	b.Helper()
	b.sh(fmt.Sprintf("ip link add eth0 netns %s type veth peer name eth0 netns %s", b.ours, b.theirs))
	b.sh("ip -n " + b.ours + " link set eth0 up")
	b.sh("ip -n " + b.theirs + " link set eth0 up")
}

// sh runs a command, split at spaces, and returns what it prints on stdout. ip may
// complain on stderr about a namespace that another test removes at that moment.
func (b *bed) sh(command string) string {
	b.Helper()
	argv := strings.Fields(command)
	var errs strings.Builder
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v: %s%s", command, err, out, errs.String())
	}
	return string(out)
}

// ip runs ip(8) in nvad's namespace.
func (b *bed) ip(args string) string {
	b.Helper()
	return b.sh("ip -n " + b.ours + " " + args)
}

// within prepares a command in a namespace. It does not outlive the test
// process.
func within(ns string, argv ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns}, argv...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// background runs a command in a namespace until the test ends.
func (b *bed) background(ns, log string, argv ...string) *exec.Cmd {
	b.Helper()
	out, err := os.Create(filepath.Join(b.dir, log))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	cmd := within(ns, argv...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if b.Failed() {
			b.Logf("%s:\n%s", log, b.read(log))
		}
	})
	return cmd
}

// read returns a file of the bed's directory.
func (b *bed) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(b.dir, name))
	return string(data)
}

// write makes a file in the bed's directory and returns its path.
func (b *bed) write(name, text string) string {
	b.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

// eventually polls until check returns nil.
func (b *bed) eventually(timeout time.Duration, check func() error) {
	b.Helper()
	lab.Eventually(b.T, timeout, check)
}

// contains is an error unless text holds all of want.
func contains(text string, want ...string) error {
	for _, w := range want {
		if !strings.Contains(text, w) {
			return fmt.Errorf("%q is not in:\n%s", w, text)
		}
	}
	return nil
}

// must fails the test, but lets it go on, for an error.
func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Error(err)
	}
}

// sweep removes the namespaces of test processes that died without doing so.
func sweep() {
	paths, _ := filepath.Glob("/run/netns/" + namespacePrefix + "*x*")
	for _, path := range paths {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), namespacePrefix), "x")
		if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			_ = exec.Command("ip", "netns", "del", filepath.Base(path)).Run()
		}
	}
}
