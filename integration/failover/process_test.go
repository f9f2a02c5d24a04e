package failover

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// process is a daemon in the foreground, with the test's own priority. It does
// not outlive the test process.
type process struct {
	bed    *bed
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
}

// starter runs what starts processes, on one thread: a child with Pdeathsig dies
// with the thread that made it.
var starter = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range starter {
			start()
		}
	}()
}

// spawn starts a daemon in a namespace. Its output goes to a file of its name.
func (b *bed) spawn(namespace, name string, argv ...string) *process {
	b.Helper()
	out, err := os.OpenFile(filepath.Join(b.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	argv = within(b.ns(namespace), argv...)
	p := &process{bed: b, name: name, cmd: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = b.dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starter <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		b.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	b.Cleanup(func() {
		p.kill()
		if b.Failed() {
			b.Logf("end of the log of %s:\n%s", name, p.tail())
		}
	})
	return p
}

// kill ends the process at once; one that has ended stays so.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// stop ends the process as a service manager does.
func (p *process) stop() {
	p.bed.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.bed.Fatalf("%s does not end", p.name)
	}
}

// tail is the end of what the process said.
func (p *process) tail() []byte {
	const most = 4000
	data, _ := os.ReadFile(filepath.Join(p.bed.dir, p.name+".log"))
	return bytes.TrimSpace(data[max(0, len(data)-most):])
}

// patience bounds what takes seconds at most on an idle machine.
const patience = 20 * time.Second

// eventually polls until check returns nil.
func (b *bed) eventually(timeout time.Duration, check func() error) {
	b.Helper()
	lab.Eventually(b.T, timeout, check)
}
