package differential

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// bed is a daemon's namespace, joined by one link to that of its neighbors.
type bed struct {
	daemon, peers string // names of the namespaces
	dir           string // of the daemon's files; stays if the test fails
	stops         []func()
}

var beds atomic.Int32

// newBed makes the namespaces and runs ip(8) commands in each. The link is
// eth0 at both ends.
func newBed(t *testing.T, name string, daemon, peers []string) *bed {
	t.Helper()
	prefix := fmt.Sprintf("nvd%dx%d", os.Getpid(), beds.Add(1))
	dir, err := os.MkdirTemp("", "nvad-differential-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{daemon: prefix + "-d", peers: prefix + "-p", dir: dir}
	t.Cleanup(func() { b.close(t) })
	run(t, "", "ip", "netns", "add", b.daemon)
	run(t, "", "ip", "netns", "add", b.peers)
	run(t, "", "ip", "link", "add", "eth0", "netns", b.daemon, "type", "veth", "peer", "name", "eth0", "netns", b.peers)
	up := []string{"link set lo up", "link set eth0 up"}
	run(t, strings.Join(append(up, daemon...), "\n"), "ip", "-n", b.daemon, "-batch", "-")
	run(t, strings.Join(append(up, peers...), "\n"), "ip", "-n", b.peers, "-batch", "-")
	return b
}

// sweep removes namespaces of runs that were killed, with the daemons in them:
// those that change their user do not die with what started them.
func sweep() {
	names, _ := filepath.Glob("/run/netns/nvd*x*-[dp]")
	for _, path := range names {
		var pid, n int
		name := filepath.Base(path)
		if _, err := fmt.Sscanf(name, "nvd%dx%d-", &pid, &n); err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		pids, _ := exec.Command("ip", "netns", "pids", name).Output()
		for _, word := range strings.Fields(string(pids)) {
			if left, err := strconv.Atoi(word); err == nil {
				_ = syscall.Kill(left, syscall.SIGKILL)
			}
		}
		_ = exec.Command("ip", "netns", "del", name).Run()
	}
}

// close ends the processes, latest first, and removes the namespaces.
func (b *bed) close(t *testing.T) {
	for i := len(b.stops) - 1; i >= 0; i-- {
		b.stops[i]()
	}
	if !t.Failed() {
		_ = os.RemoveAll(b.dir)
	}
	for _, ns := range []string{b.daemon, b.peers} {
		if _, err := os.Stat(filepath.Join("/run/netns", ns)); err == nil {
			_ = exec.Command("ip", "netns", "del", ns).Run()
		}
	}
}

// run runs a command with input and returns what it printed.
func run(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// exec runs a command in the daemon's namespace.
func (b *bed) exec(t *testing.T, argv ...string) string {
	t.Helper()
	return run(t, "", "ip", append([]string{"netns", "exec", b.daemon}, argv...)...)
}

// starter runs what starts processes, on one thread: a child with Pdeathsig dies
// with the thread that made it, and those that dial end in between.
var starter = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range starter {
			start()
		}
	}()
}

// start starts a daemon in its namespace; its output goes to a file.
func (b *bed) start(t *testing.T, argv ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(b.dir, filepath.Base(argv[0])+".out"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("ip", append([]string{"netns", "exec", b.daemon}, argv...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starter <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	b.stops = append(b.stops, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}
