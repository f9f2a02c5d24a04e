// Package bed gives a test its own network namespaces, files and processes.
//
// A test that runs daemons needs a network that nobody else uses, a directory for what the
// daemons read and write, and the certainty that all of it ends with the test. A Bed provides
// these. It promises that beds of parallel tests and processes don't meet, that the next test
// removes what a killed test process has left, and that a failed test shows the ends of its
// daemons' logs. The bed owns its namespaces and processes. The test decides how they are
// addressed and what runs in them. The emulated Azure is in integration/lab.
package bed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// namespacePrefix is the beginning of every namespace's name, in the form that
// lab.SweepNamespaces expects.
const namespacePrefix = "nvt"

var (
	beds  atomic.Int32
	swept sync.Once
)

// Bed has the network namespaces, files and processes of one test. Its methods take the short
// names of namespaces that were passed to New.
type Bed struct {
	*testing.T
	Dir    string // directory for files; it stays if the test fails
	prefix string
}

// New creates a namespace, with lo up, for each name. If the test isn't root or a command is
// missing, it is skipped, or fails in CI.
func New(t *testing.T, names ...string) *Bed {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "ip")
	swept.Do(func() {
		if err := lab.SweepNamespaces(namespacePrefix); err != nil {
			t.Logf("namespaces left by others: %v", err)
		}
	})
	prefix := fmt.Sprintf("%s%dx%d-", namespacePrefix, os.Getpid(), beds.Add(1))
	dir, err := os.MkdirTemp("", prefix) // short, because the paths of sockets have a maximum length
	if err != nil {
		t.Fatal(err)
	}
	b := &Bed{T: t, Dir: dir, prefix: prefix}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("files are in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	if err := os.Chmod(dir, 0o755); err != nil { // for daemons that change their user
		t.Fatal(err)
	}
	for _, name := range names {
		b.Sh("ip netns add %s", b.NS(name))
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", b.NS(name)).Run() })
		b.IP(name, "link set lo up")
	}
	return b
}

// NS returns the full name of a namespace, as ip(8) takes it.
func (b *Bed) NS(name string) string { return b.prefix + name }

// Join connects two namespaces by a veth pair whose ends are up and have addresses
// with their prefix lengths; IPv6 addresses are used at once, without duplicate
// address detection.
func (b *Bed) Join(left, leftDevice string, leftAddresses []string, right, rightDevice string, rightAddresses []string) {
	b.Helper()
	b.Sh("ip link add %s netns %s type veth peer name %s netns %s", leftDevice, b.NS(left), rightDevice, b.NS(right))
	b.address(left, leftDevice, leftAddresses)
	b.address(right, rightDevice, rightAddresses)
}

func (b *Bed) address(name, device string, addresses []string) {
	b.Helper()
	commands := []string{"link set " + device + " up"}
	for _, a := range addresses {
		add := "addr add " + a + " dev " + device
		if strings.Contains(a, ":") {
			add += " nodad"
		}
		commands = append(commands, add)
	}
	b.Batch(name, commands...)
}

// Batch runs several commands of ip(8) in a namespace with one process.
func (b *Bed) Batch(name string, commands ...string) {
	b.Helper()
	b.feed(exec.Command("ip", "-n", b.NS(name), "-batch", "-"), strings.Join(commands, "\n"))
}

// Rules loads nftables rules into a namespace.
func (b *Bed) Rules(name, text string) {
	b.Helper()
	b.feed(b.Command(name, "nft", "-f", "-"), text)
}

func (b *Bed) feed(cmd *exec.Cmd, input string) {
	b.Helper()
	cmd.Stdin = strings.NewReader(input)
	if _, err := Try(cmd); err != nil {
		b.Fatal(err)
	}
}

// Try runs a command to its end and returns its stdout. stderr appears only in the error:
// ip(8), for example, complains there about namespaces that other tests remove while it looks
// up all their names.
func Try(cmd *exec.Cmd) (string, error) {
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s%s", strings.Join(cmd.Args, " "), err, out, errs.String())
	}
	return string(out), err
}

// Run runs a command to its end and returns its stdout. The command must succeed.
func (b *Bed) Run(argv ...string) string {
	b.Helper()
	out, err := Try(exec.Command(argv[0], argv[1:]...))
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// Sh is Run with a command that is formatted and then split at spaces.
func (b *Bed) Sh(format string, args ...any) string {
	b.Helper()
	return b.Run(strings.Fields(fmt.Sprintf(format, args...))...)
}

// IP runs ip(8) in a namespace, its arguments split at spaces.
func (b *Bed) IP(name, args string) string {
	b.Helper()
	return b.Sh("ip -n %s %s", b.NS(name), args)
}

// In runs a command in a namespace. The command must succeed.
func (b *Bed) In(name string, argv ...string) string {
	b.Helper()
	out, err := Try(b.Command(name, argv...))
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// Command prepares a command in a namespace. It doesn't outlive the test process.
func (b *Bed) Command(name string, argv ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", b.NS(name)}, argv...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Path returns the path of a file in the bed's directory.
func (b *Bed) Path(name string) string { return filepath.Join(b.Dir, name) }

// Write replaces a file in the bed's directory atomically, so that nobody reads half of it,
// and returns its path.
func (b *Bed) Write(name, text string) string {
	b.Helper()
	path := b.Path(name)
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		b.Fatal(err)
	}
	return path
}

// Read returns the content of a file in the bed's directory, or an empty string if the file is
// missing.
func (b *Bed) Read(name string) string {
	data, _ := os.ReadFile(b.Path(name))
	return string(data)
}

// Eventually polls until check returns nil, and fails the test after timeout.
func (b *Bed) Eventually(timeout time.Duration, check func() error) {
	b.Helper()
	lab.Eventually(b.T, timeout, check)
}
