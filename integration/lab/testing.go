package lab

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/debroot"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/rpc"
	"github.com/nvad/nvad/integration/rivals"
)

// NotRun skips a test for which the machine lacks something. CI sets NVAD_REQUIRE_ROOT=1, and
// then the test fails instead, because a test that never runs must not look like one that
// passed. Elsewhere the reason is written to the file NVAD_NOT_RUN, which `make test` prints
// at its end, a line for each test.
func NotRun(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("NVAD_REQUIRE_ROOT") == "1" {
		t.Fatal(why)
	}
	if f, err := os.OpenFile(os.Getenv("NVAD_NOT_RUN"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666); err == nil {
		fmt.Fprintf(f, "%s: %s\n", t.Name(), strings.Join(strings.Fields(why), " "))
		_ = f.Close()
	}
	t.Skip(why)
}

// RequireRoot calls NotRun unless the test runs as root.
func RequireRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		NotRun(t, "this test needs root")
	}
}

// RequireCommands calls NotRun unless all commands are installed.
func RequireCommands(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			NotRun(t, name+" is not installed")
		}
	}
}

// RequireRival calls NotRun unless the test runs as root and the rival is installed, or is in the
// root of the rivals, which it makes if there is none.
func RequireRival(t testing.TB, r rivals.Rival) {
	t.Helper()
	RequireRoot(t)
	RequireCommands(t, r.Needs()...)
	err := r.Prepare()
	if errors.As(err, &debroot.Missing{}) {
		NotRun(t, fmt.Sprintf("%s is not there: %v", r.Title, err))
	}
	if err != nil {
		t.Fatal(err)
	}
}

var upCount atomic.Int32

// Up builds a lab for a test and takes it down at the end. If the test failed, it prints the
// logs of all processes first. VNets do not dampen route changes unless the test asks for it.
func Up(t testing.TB, o Options) *Lab {
	t.Helper()
	RequireRoot(t)
	RequireCommands(t, "ip", "nft", "bird")
	for _, nva := range o.NVAs {
		if r, ok := kinds[nva.Kind]; ok {
			RequireRival(t, r)
		}
	}
	if err := Sweep(); err != nil {
		t.Logf("labs left by others: %v", err)
	}
	if o.Emulator == "" {
		o.Emulator = Build(t, "./integration/lab/cmd/azure")
	}
	if o.Prefix == "" {
		o.Prefix = fmt.Sprintf("nvl%dx%d", os.Getpid(), upCount.Add(1))
	}
	o.Dampening = cmp.Or(o.Dampening, -1)
	o.Owner = os.Getpid()
	l, err := Create(context.Background(), o)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		for name := range o.NVAs {
			if Raced(l.NVALog(name)) {
				t.Errorf("%s has a data race", name)
			}
		}
		if t.Failed() {
			t.Logf("logs: %v", l.logs())
		}
		if err := l.Down(); err != nil {
			t.Errorf("lab down: %v", err)
		}
	})
	return l
}

// Raced reports whether a program that was built with GOFLAGS=-race has logged a data race.
func Raced(log string) bool { return strings.Contains(log, "DATA RACE") }

// UpScenario brings a scenario up with its own NVAs, as `make lab` does, and waits until all
// sessions are up and all its flows pass.
func UpScenario(t testing.TB, name string) *Lab {
	t.Helper()
	return UpOptions(t, Options{Scenario: name})
}

// UpOptions is UpScenario with more options. An NVA that the options name replaces the
// scenario's.
func UpOptions(t testing.TB, o Options) *Lab {
	t.Helper()
	RequireRoot(t)
	s, err := FindScenario(o.Scenario)
	if err != nil {
		t.Fatal(err)
	}
	root, err := ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	nvas := s.Defaults(Build(t, "./cmd/nvad"), filepath.Join(root, "configs"))
	maps.Copy(nvas, o.NVAs)
	o.NVAs, o.Nvactl = nvas, Build(t, "./cmd/nvactl")
	if s.Operator {
		o.Manager, o.Role = true, filepath.Join(root, "configs/azure/role-operator.json")
	}
	l := Up(t, o)
	l.AwaitSessions(t, 30*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := l.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

// Eventually polls check until it returns nil. If that takes longer than timeout, the test
// fails with the last error.
func Eventually(t testing.TB, timeout time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", timeout, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// AwaitAnswer polls until address answers a ping from node. When routes have been programmed,
// the first packet may still be lost while each hop on the way resolves its neighbour.
func (l *Lab) AwaitAnswer(t testing.TB, node, address string) {
	t.Helper()
	Eventually(t, 10*time.Second, func() error {
		_, err := l.Output(node, "ping", "-c", "1", "-W", "1", address)
		return err
	})
}

// AwaitFirstHop polls until hop is the first hop on node's path to address.
func (l *Lab) AwaitFirstHop(t testing.TB, node, address, hop string) {
	t.Helper()
	Eventually(t, 10*time.Second, func() error {
		out, err := l.Output(node, "traceroute", "-n", "-q", "1", "-w", "0.5", "-m", "1", address)
		if err == nil && !strings.Contains(out, " 1  "+hop) {
			err = fmt.Errorf("the first hop of %s is not %s:\n%s", node, hop, out)
		}
		return err
	})
}

// AwaitSessions polls until all sessions are up that a gateway has, or an NVA that runs
// something.
func (l *Lab) AwaitSessions(t testing.TB, timeout time.Duration) {
	t.Helper()
	Eventually(t, timeout, func() error {
		for _, s := range l.Speakers() {
			if l.unconnected(s) {
				continue
			}
			sessions, err := s.Sessions(t.Context())
			if err != nil {
				return err
			}
			for _, session := range sessions {
				if !session.Established && !l.silentNVA(session.Neighbor) {
					return fmt.Errorf("%s: session with %s is down, last error %q", s.Name, session.Neighbor, session.LastDown)
				}
			}
		}
		return nil
	})
}

// unconnected reports whether the speaker is a gateway without its circuit.
func (l *Lab) unconnected(s Speaker) bool {
	return slices.ContainsFunc(l.Topology.VNets, func(v VNet) bool {
		return v.Unconnected && s.Name == gatewayNode(v.Name)
	})
}

// silentNVA reports whether the address belongs to an NVA that runs nothing.
func (l *Lab) silentNVA(addr netip.Addr) bool {
	for _, v := range l.Topology.VNets {
		for _, vm := range v.NVAs() {
			if _, spec, _ := l.nvaOf(vm.Name); vm.Address == addr {
				return spec.Kind == None
			}
		}
	}
	return false
}

// Exec runs a command in the namespace of a node and returns its output. It fails the test if
// the command fails.
func (l *Lab) Exec(t testing.TB, node string, argv ...string) string {
	t.Helper()
	out, err := l.Output(node, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Main runs the tests of a package and removes what Build has built. The tests fail if a
// process that one of them started is still running at the end.
//
//	func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
func Main(m *testing.M) int {
	defer os.RemoveAll(BuildDir())
	if err := os.Setenv(startedBy, strconv.Itoa(os.Getpid())); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	left := descendants()
	for deadline := time.Now().Add(5 * time.Second); len(left) > 0 && time.Now().Before(deadline); left = descendants() {
		time.Sleep(20 * time.Millisecond)
	}
	for _, process := range left {
		fmt.Fprintln(os.Stderr, "the tests have ended and this process has not:", process)
		code = 1
	}
	return code
}

// startedBy is an environment variable that everything inherits that the tests start, directly
// or indirectly.
const startedBy = "NVAD_TEST_PID"

// descendants returns PID and command line of each process that this one has started, directly
// or indirectly, even if the processes in between are gone.
func descendants() []string {
	self := strconv.Itoa(os.Getpid())
	mark := []byte("\x00" + startedBy + "=" + self + "\x00") // environ has a NUL behind each variable
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	var found []string
	for _, path := range paths {
		dir := filepath.Dir(path)
		pid := filepath.Base(dir)
		environ, _ := os.ReadFile(path) // a process may end meanwhile
		if pid == self || !bytes.Contains(append([]byte{0}, environ...), mark) {
			continue
		}
		argv, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		found = append(found, pid+" "+strings.ReplaceAll(strings.TrimRight(string(argv), "\x00"), "\x00", " "))
	}
	return found
}

// AzureState returns a copy of what Resource Manager knows.
func (l *Lab) AzureState(t testing.TB) *arm.State {
	t.Helper()
	s, err := rpc.Get[*arm.State](t.Context(), l.ManagerSocket(), "/state")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ChangeAzure changes what Resource Manager knows, as somebody else's deployment would.
func (l *Lab) ChangeAzure(t testing.TB, change func(*arm.State)) {
	t.Helper()
	s := l.AzureState(t)
	change(s)
	if err := rpc.Send(t.Context(), l.ManagerSocket(), http.MethodPut, "/state", s); err != nil {
		t.Fatal(err)
	}
}
