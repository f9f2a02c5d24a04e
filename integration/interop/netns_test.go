package interop

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// Addresses of the link between nvad, which is this process, and the peer.
const (
	ours4, theirs4 = "10.99.0.1", "10.99.0.2"
	ours6, theirs6 = "2001:db8:99::1", "2001:db8:99::2"
)

const insideEnv = "NVAD_INTEROP_INSIDE"

// TestMain runs the tests in a new network namespace, so that they see only the addresses they
// add and do not use anybody else's ports.
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

// namespace is the peer's network namespace. A veth pair connects it to the namespace of this
// process.
type namespace struct{ *netbed.Bed }

const peerNamespace = "peer"

func newNamespace(t *testing.T) namespace {
	t.Helper()
	ns := namespace{netbed.New(t, peerNamespace)}
	ns.Sh("ip link set lo up")
	ns.Sh("ip link add nvad0 type veth peer name peer0 netns %s", ns.NS(peerNamespace))
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "nvad0").Run() })
	for _, a := range []string{ours4 + "/24", ours6 + "/64 nodad"} {
		ns.Sh("ip addr add %s dev nvad0", a)
	}
	ns.Sh("ip link set nvad0 up")
	ns.Batch(peerNamespace, "addr add "+theirs4+"/24 dev peer0", "addr add "+theirs6+"/64 dev peer0 nodad", "link set peer0 up")
	return ns
}

// run runs a command in the namespace and returns its output, including errors.
func (ns namespace) run(argv ...string) string {
	out, _ := ns.Command(peerNamespace, argv...).CombinedOutput()
	return string(out)
}
