package hostile

import (
	"bytes"
	"context"
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

// nice is the priority that nvad's unit gives it. Whoever measures has it too, and so
// what else runs on the machine does not count as nvad's delay.
const nice = -10

func TestMain(m *testing.M) {
	sweep()
	if os.Geteuid() == 0 {
		hurry()
	}
	os.Exit(lab.Main(m))
}

// hurry gives every thread of this process its priority, which threads and processes
// to come inherit.
func hurry() {
	threads, _ := filepath.Glob("/proc/self/task/*")
	for _, thread := range threads {
		if id, err := strconv.Atoi(filepath.Base(thread)); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, nice) // a thread may end meanwhile
		}
	}
}

// long says whether the attacks run with the figures of docs/security.md.
var long = os.Getenv("NVAD_HOSTILE_LONG") == "1"

// Who is who on the link. Every speaker dials nvad.
const (
	dutAddress      = "10.0.0.4"
	dutASN          = 65001
	feederAddress   = "10.0.0.12"
	feederASN       = 65002
	listenerAddress = "10.0.0.13"
	listenerASN     = 65003
	birdAddress     = "10.0.0.20"
	birdASN         = 65020
	healthPort      = "8080"
)

const namespacePrefix = "nvho"

var beds atomic.Int32

// bed is a namespace for nvad and one for everybody else, joined by a link.
type bed struct {
	*testing.T
	dir, ours, theirs string
	socket, config    string
	group             string // a control group for nvad; empty: that of the test
	cmd               *exec.Cmd
	exited            chan struct{}
}

// newBed makes a bed in which the others have the addresses given, and starts
// nothing. All of it ends with the test.
func newBed(t *testing.T, addresses ...string) *bed {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "ip")
	lab.Build(t, "./cmd/nvad")
	lab.Build(t, "./cmd/nvactl")
	dir := t.TempDir()
	prefix := fmt.Sprintf("%s%dx%d", namespacePrefix, os.Getpid(), beds.Add(1))
	b := &bed{
		T: t, dir: dir, ours: prefix + "a", theirs: prefix + "b",
		socket: filepath.Join(dir, "nvad.sock"), config: filepath.Join(dir, "nvad.toml"),
	}
	for _, ns := range []string{b.ours, b.theirs} {
		b.sh("ip netns add " + ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		b.sh("ip -n " + ns + " link set lo up")
	}
	b.sh("ip link add eth0 netns " + b.ours + " type veth peer name eth0 netns " + b.theirs)
	b.sh("ip -n " + b.ours + " addr add " + dutAddress + "/24 dev eth0")
	for _, a := range addresses {
		b.sh("ip -n " + b.theirs + " addr add " + a + "/24 dev eth0")
	}
	b.sh("ip -n " + b.ours + " link set eth0 up")
	b.sh("ip -n " + b.theirs + " link set eth0 up")
	return b
}

// sh runs a command, split at spaces, and returns its output.
func (b *bed) sh(command string) string {
	b.Helper()
	argv := strings.Fields(command)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		b.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// background runs a command in a namespace until the test ends.
func (b *bed) background(ns, log string, argv ...string) *exec.Cmd {
	b.Helper()
	out, err := os.Create(filepath.Join(b.dir, log))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	argv = append([]string{"ip", "netns", "exec", ns}, argv...)
	if b.group != "" && ns == b.ours {
		// ip would hide the control groups: nvad reads its limit there.
		argv = append([]string{"sh", "-c", "echo $$ >" + b.group + "/cgroup.procs && exec nsenter --net=/run/netns/" + ns + ` "$@"`, "sh"}, argv[4:]...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return cmd
}

// start starts nvad with a configuration and waits until it is ready.
func (b *bed) start(config string) {
	b.Helper()
	if err := os.WriteFile(b.config, []byte(config), 0o644); err != nil {
		b.Fatal(err)
	}
	b.cmd = b.background(b.ours, "nvad.log", lab.Build(b.T, "./cmd/nvad"), "--config", b.config, "--socket", b.socket)
	b.exited = make(chan struct{})
	go func() {
		_ = b.cmd.Wait()
		close(b.exited)
	}()
	b.Cleanup(func() {
		_ = b.cmd.Process.Kill()
		<-b.exited
		if b.Failed() {
			b.Logf("nvad:\n%s", b.tail("nvad.log", 60))
		}
	})
	lab.Eventually(b.T, 15*time.Second, func() error {
		if log := b.tail("nvad.log", 1000); !strings.Contains(log, "msg=ready") {
			return fmt.Errorf("nvad is not ready:\n%s", log)
		}
		return nil
	})
}

// tail returns the last lines of a file of the bed.
func (b *bed) tail(name string, lines int) string {
	data, _ := os.ReadFile(filepath.Join(b.dir, name))
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// nvactl asks the daemon and returns what it prints.
func (b *bed) nvactl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, lab.Build(b.T, "./cmd/nvactl"), append([]string{"--socket", b.socket}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("nvactl %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// alive is an error once nvad has ended.
func (b *bed) alive() error {
	select {
	case <-b.exited:
		return fmt.Errorf("nvad has ended: %v", b.cmd.ProcessState)
	default:
		return nil
	}
}

// resident is how much memory nvad occupies, in KiB.
func (b *bed) resident() int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib
		}
	}
	return 0
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
