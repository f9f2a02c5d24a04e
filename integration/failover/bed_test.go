package failover

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

const namespacePrefix = "nvfo"

var beds atomic.Int32

// bed is some network namespaces and a directory for files.
type bed struct {
	*testing.T
	prefix string
	dir    string // stays if the test fails
}

// newBed makes a namespace for each name. All of it ends with the test.
func newBed(t *testing.T, names ...string) *bed {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "ip", "nft")
	dir, err := os.MkdirTemp("", "nvad-failover-")
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{T: t, dir: dir, prefix: fmt.Sprintf("%s%dx%d", namespacePrefix, os.Getpid(), beds.Add(1))}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("files are in %s", dir)
			return
		}
		os.RemoveAll(dir)
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		ns := b.ns(name)
		b.run("ip", "netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		b.ip(name, "link set lo up")
		b.in(name, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
			"net.ipv4.conf.default.rp_filter=0", "net.ipv6.conf.all.disable_ipv6=1")
	}
	return b
}

// ns is the namespace of a name.
func (b *bed) ns(name string) string { return b.prefix + "-" + name }

// link joins two namespaces. Each end is named after the other, and has its
// address in one /24.
func (b *bed) link(left, leftAddress, right, rightAddress string) {
	b.Helper()
	b.run("ip", "link", "add", right, "netns", b.ns(left), "type", "veth", "peer", "name", left, "netns", b.ns(right))
	for _, end := range [][3]string{{left, right, leftAddress}, {right, left, rightAddress}} {
		b.ip(end[0], "addr add "+end[2]+"/24 dev "+end[1])
		b.ip(end[0], "link set "+end[1]+" up")
	}
}

// run runs a command to its end, which must succeed.
func (b *bed) run(argv ...string) string {
	b.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		b.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// ip runs ip(8) in a namespace.
func (b *bed) ip(name, args string) string {
	b.Helper()
	return b.run(append([]string{"ip", "-n", b.ns(name)}, strings.Fields(args)...)...)
}

// in runs a command in a namespace.
func (b *bed) in(name string, argv ...string) string {
	b.Helper()
	return b.run(within(b.ns(name), argv...)...)
}

func within(ns string, argv ...string) []string {
	return append([]string{"ip", "netns", "exec", ns}, argv...)
}

// rules loads nftables rules.
func (b *bed) rules(name, text string) {
	b.Helper()
	argv := within(b.ns(name), "nft", "-f", "-")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("nft: %v: %s", err, out)
	}
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

// addr parses an address of the tests' own.
func addr(text string) netip.Addr { return netip.MustParseAddr(text) }
