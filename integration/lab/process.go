package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a process that the lab started. The start time guards against another process
// that has since got the same id.
type process struct {
	Name  string
	PID   int
	Start uint64
}

// spawn starts a command in a node's namespace and in its own working directory, detached from
// the caller, and records it under name.
func (l *Lab) spawn(name, node string, argv ...string) error {
	return l.start(name, l.Command(node, argv...))
}

// start is spawn for a command that may run in any namespace.
func (l *Lab) start(name string, cmd *exec.Cmd) error {
	log, err := os.OpenFile(l.path("log", name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Dir = l.path("run", name)
	if err := os.MkdirAll(cmd.Dir, 0o755); err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p := process{Name: name, PID: cmd.Process.Pid}
	p.Start, _ = startTime(p.PID)
	go func() { _ = cmd.Wait() }()
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(l.path("proc", name+".json"), data, 0o644)
}

// process returns the process recorded under name, and whether it is still running.
func (l *Lab) process(name string) (process, bool) {
	var p process
	data, err := os.ReadFile(l.path("proc", name+".json"))
	if err != nil || json.Unmarshal(data, &p) != nil {
		return p, false
	}
	return p, p.running()
}

func (p process) running() bool {
	start, ok := startTime(p.PID)
	return ok && start == p.Start
}

// end sends a signal and waits until the process is gone. After a few seconds it kills the
// process.
func (l *Lab) end(name string, sig syscall.Signal) error {
	p, running := l.process(name)
	for deadline := time.Now().Add(5 * time.Second); running; running = p.running() {
		if sig != 0 {
			if err := syscall.Kill(p.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end %s: %w", name, err)
			}
			sig = 0
		}
		if time.Now().After(deadline) {
			sig, deadline = syscall.SIGKILL, time.Now().Add(5*time.Second)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return os.RemoveAll(l.path("proc", name+".json"))
}

// endAll ends everything that the lab has started.
func (l *Lab) endAll() error {
	entries, err := os.ReadDir(filepath.Join(l.dir, "proc"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".json")
		names = append(names, name)
		if p, running := l.process(name); running {
			_ = syscall.Kill(p.PID, syscall.SIGTERM)
		}
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, l.end(name, syscall.SIGTERM))
	}
	return errors.Join(errs...)
}

// startTime returns when a process was started, in clock ticks since boot. A zombie does not
// count as a process, unless it has threads that are not gone: of a process that is killed,
// the first thread may be gone while others still hold its sockets.
func startTime(pid int) (uint64, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The name, in parentheses, may contain spaces.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" && threads(pid) < 2 {
		return 0, false
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return start, err == nil
}

func threads(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return len(entries)
}

func (l *Lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}
