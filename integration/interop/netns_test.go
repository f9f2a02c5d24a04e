package interop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// Addresses of the link between nvad, which is this process, and the peer.
const (
	ours4, theirs4 = "10.99.0.1", "10.99.0.2"
	ours6, theirs6 = "2001:db8:99::1", "2001:db8:99::2"
)

const insideEnv = "NVAD_INTEROP_INSIDE"

// TestMain runs the tests in a new network namespace, so that they see only the
// addresses they make and disturb nobody else's ports.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(insideEnv) != "":
		os.Exit(lab.Main(m))
	case os.Getuid() != 0 && os.Getenv("NVAD_REQUIRE_ROOT") == "1":
		fmt.Fprintln(os.Stderr, "interop tests need root, and NVAD_REQUIRE_ROOT=1 says that it is there")
		os.Exit(1)
	case os.Getuid() != 0:
		fmt.Fprintln(os.Stderr, "interop tests skipped: they need root")
		os.Exit(0)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// namespace is the peer's network namespace.
type namespace struct{ name string }

// newNamespace joins a new namespace to this process's by a veth pair.
func newNamespace(t *testing.T) namespace {
	t.Helper()
	ns := namespace{fmt.Sprintf("nvad-interop-%d", os.Getpid())}
	run(t, "ip", "netns", "add", ns.name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns.name).Run() })
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "ip", "link", "add", "nvad0", "type", "veth", "peer", "name", "peer0", "netns", ns.name)
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "nvad0").Run() })
	run(t, "ip", "addr", "add", ours4+"/24", "dev", "nvad0")
	run(t, "ip", "addr", "add", ours6+"/64", "dev", "nvad0", "nodad")
	run(t, "ip", "link", "set", "nvad0", "up")
	ns.run(t, "ip", "link", "set", "lo", "up")
	ns.run(t, "ip", "addr", "add", theirs4+"/24", "dev", "peer0")
	ns.run(t, "ip", "addr", "add", theirs6+"/64", "dev", "peer0", "nodad")
	ns.run(t, "ip", "link", "set", "peer0", "up")
	return ns
}

func (ns namespace) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns.name, name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (ns namespace) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return run(t, "ip", append([]string{"netns", "exec", ns.name, name}, args...)...)
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// daemon is a routing daemon that runs in the namespace.
type daemon struct {
	cmd *exec.Cmd
	log *bytes.Buffer
}

// start runs a daemon that stays in the foreground, and stops it with the test.
func (ns namespace) start(t *testing.T, name string, args ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: ns.command(name, args...), log: new(bytes.Buffer)}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("%s:\n%s", name, d.log)
		}
	})
	return d
}

// kill ends the daemon without giving it a chance to say goodbye.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// eventually polls ok, which says what is missing.
func eventually(t *testing.T, d time.Duration, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(d)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", d, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// waitSocket waits for a daemon's control socket.
func waitSocket(t *testing.T, path string) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		}
		return err
	})
}
