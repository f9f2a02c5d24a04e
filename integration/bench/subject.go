package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nvad/nvad/integration/rivals"
)

// subject is a routing daemon with the policies of the two hubs.
type subject interface {
	// start starts the daemon on a bed, and returns when it listens to its operator.
	start(*bed) error
	// reload changes the import policy: LOCAL_PREF 200 for routes of the Route Server.
	// It returns when the daemon has the order.
	reload() error
	running() *processes
}

// Nvad is the subject that is compared with each of the others.
const Nvad = "nvad"

// subjectNames are all subjects, in the order of tables.
func subjectNames() []string {
	names := []string{Nvad}
	for _, r := range rivals.All {
		names = append(names, r.Name)
	}
	return names
}

func newSubject(name string, o *Options) (subject, error) {
	if name == Nvad {
		return &nvad{binary: o.Nvad}, nil
	}
	r, err := rivals.Find(name)
	if err != nil {
		return nil, err
	}
	if r.IsFRR() {
		return &frr{rival: r}, nil
	}
	return &bird{rival: r}, nil
}

// awaitSocket waits until somebody answers on a unix socket.
func awaitSocket(path string) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		c, err := net.Dial("unix", path)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

func (b *bed) write(name, text string) (path string, err error) {
	path = filepath.Join(b.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// processes are those of a subject, in the order of their start.
type processes []*exec.Cmd

// spawn starts a program in the subject's namespace. ip(8) becomes the program,
// so that the process is the program's.
func (ps *processes) spawn(b *bed, argv ...string) error {
	log, err := os.OpenFile(filepath.Join(b.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("ip", append([]string{"netns", "exec", b.ns("dut")}, argv...)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, b.dir
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	*ps = append(*ps, cmd)
	return nil
}

// kill ends all, latest first. What they leave in the kernel goes with the
// namespace.
func (ps *processes) kill() {
	for i := len(*ps) - 1; i >= 0; i-- {
		_ = (*ps)[i].Process.Kill()
		_ = (*ps)[i].Wait()
	}
	*ps = nil
}

// pss is the memory of all in MiB, shared pages in proportion.
func (ps processes) pss() float64 { return ps.sum("smaps_rollup", "Pss:") / 1024 }

// peak is the sum of the largest resident sets there were, in MiB.
func (ps processes) peak() float64 { return ps.sum("status", "VmHWM:") / 1024 }

// sum adds up a line of a file in /proc.
func (ps processes) sum(file, key string) (total float64) {
	for _, p := range ps {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.Process.Pid, file))
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == key {
				n, _ := strconv.ParseFloat(f[1], 64)
				total += n
			}
		}
	}
	return total
}

// cpu is the processor time of all threads so far.
func (ps processes) cpu() (total time.Duration) {
	for _, p := range ps {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.Process.Pid))
		for _, file := range files {
			data, _ := os.ReadFile(file)
			if f := strings.Fields(string(data)); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				total += time.Duration(n)
			}
		}
	}
	return total
}
