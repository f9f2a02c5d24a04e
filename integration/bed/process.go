package bed

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// Patience is the limit for everything that takes seconds at most on an idle machine.
const Patience = 20 * time.Second

// Process is a daemon in the foreground. It ends with the test, or with the test process.
type Process struct {
	*exec.Cmd
	Log    string        // file in the bed's directory with everything that it prints
	Exited chan struct{} // closed once it has ended
	bed    *Bed
}

// starter starts all processes on one thread that doesn't end: a process with Pdeathsig dies
// with the thread that started it.
var starter = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range starter {
			start()
		}
	}()
}

// Spawn starts a program in a namespace. Its output is appended to the file name.log.
func (b *Bed) Spawn(namespace, name string, argv ...string) *Process {
	b.Helper()
	return b.Start(name, b.Command(namespace, argv...))
}

// Start is Spawn for a command that Command has made.
func (b *Bed) Start(name string, cmd *exec.Cmd) *Process {
	b.Helper()
	p := &Process{Cmd: cmd, Log: name + ".log", Exited: make(chan struct{}), bed: b}
	log, err := os.OpenFile(b.Path(p.Log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.Dir == "" {
		cmd.Dir = b.Dir
	}
	started := make(chan error)
	starter <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		b.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.Exited)
	}()
	b.Cleanup(func() {
		p.Kill()
		if lab.Raced(b.Read(p.Log)) {
			b.Errorf("%s has a data race", name)
		}
		if b.Failed() {
			b.Logf("end of the log of %s:\n%s", name, p.tail())
		}
	})
	return p
}

// Prioritize gives every thread of this process a nice value. New threads and processes
// inherit it.
func Prioritize(nice int) {
	threads, _ := filepath.Glob("/proc/self/task/*")
	for _, thread := range threads {
		if id, err := strconv.Atoi(filepath.Base(thread)); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, nice) // a thread may end meanwhile
		}
	}
}

// tail returns the end of the process's output.
func (p *Process) tail() []byte {
	const most = 20000
	data := []byte(p.bed.Read(p.Log))
	return bytes.TrimSpace(data[max(0, len(data)-most):])
}

// Kill ends the process at once. It does nothing if the process has already ended.
func (p *Process) Kill() {
	_ = p.Process.Kill()
	<-p.Exited
}

// Signal sends a signal and fails the test if that is impossible.
func (p *Process) Signal(s syscall.Signal) {
	p.bed.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.bed.Fatal(err)
	}
}

// Ended waits until the process ends and returns its exit code; -1 after a signal.
func (p *Process) Ended() int {
	p.bed.Helper()
	select {
	case <-p.Exited:
	case <-time.After(Patience):
		p.bed.Fatalf("%s does not end", p.Log)
	}
	return p.ProcessState.ExitCode()
}

// Stop ends the process as a service manager does, and fails the test if the process exits
// with an error.
func (p *Process) Stop() {
	p.bed.Helper()
	p.Signal(syscall.SIGTERM)
	if code := p.Ended(); code != 0 {
		p.bed.Errorf("%s: exit code %d after SIGTERM", p.Log, code)
	}
}

// Logs waits until the process has printed all of want.
func (p *Process) Logs(want ...string) {
	p.bed.Helper()
	p.bed.Eventually(Patience, func() error {
		log := p.bed.Read(p.Log)
		for _, w := range want {
			if !strings.Contains(log, w) {
				return fmt.Errorf("%q is not in the log:\n%s", w, log)
			}
		}
		return nil
	})
}

// Nvad starts nvad, built from this tree, in a namespace. Its configuration is the
// file name.toml, its socket name.sock. It may not be ready yet: see Logs.
func (b *Bed) Nvad(namespace, name string) *Process {
	b.Helper()
	return b.Spawn(namespace, name, lab.Build(b.T, "./cmd/nvad"), "--config", b.Path(name+".toml"), "--socket", b.Path(name+".sock"))
}

// Nvactl runs nvactl for the nvad of that name, and returns its stdout.
func (b *Bed) Nvactl(name string, args ...string) (string, error) {
	return Try(exec.Command(lab.Build(b.T, "./cmd/nvactl"), append([]string{"--socket", b.Path(name + ".sock")}, args...)...))
}
