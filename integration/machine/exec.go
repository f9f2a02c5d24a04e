package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// leader returns the process id on the host of the machine's PID 1.
func (m *Machine) leader() (string, error) {
	if m.proc == nil {
		return "", fmt.Errorf("%s is off", m.opt.Name)
	}
	pid := strconv.Itoa(m.proc.Process.Pid)
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if err != nil {
		return "", fmt.Errorf("%s is off: %w", m.opt.Name, err)
	}
	for child := range strings.FieldsSeq(string(children)) {
		if status, err := os.ReadFile(filepath.Join("/proc", child, "status")); err == nil && strings.Contains(string(status), "\t1\n") {
			return child, nil
		}
	}
	return "", fmt.Errorf("%s has no PID 1 yet", m.opt.Name)
}

// Command prepares a command that root runs in the machine, with no environment but a path. If
// the machine is off, running the command returns the error.
func (m *Machine) Command(ctx context.Context, argv ...string) *exec.Cmd {
	leader, err := m.leader()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", leader,
		"--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
		"env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, argv...)...)
	if err != nil {
		cmd.Err = err
	}
	return cmd
}

// Output runs a command in the machine and returns its standard output. If the command fails,
// the error contains its standard error.
func (m *Machine) Output(ctx context.Context, argv ...string) (string, error) {
	out, err := m.Command(ctx, argv...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return string(out), fmt.Errorf("%s: %s: %w", m.opt.Name, strings.Join(argv, " "), err)
	}
	return string(out), nil
}

// AwaitBooted waits until systemd has started everything. If units have failed, the error
// names them.
func (m *Machine) AwaitBooted(ctx context.Context) error {
	for {
		state, err := m.Output(ctx, "systemctl", "is-system-running")
		switch strings.TrimSpace(state) {
		case "running":
			return nil
		case "degraded":
			failed, err := m.Output(ctx, "systemctl", "--failed", "--no-legend", "--plain")
			return errors.Join(fmt.Errorf("%s: units failed: %s", m.opt.Name, failed), err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-m.done:
			return fmt.Errorf("%s is off", m.opt.Name)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Journal returns everything that the machine has logged since it was created, whether it is
// on or off.
func (m *Machine) Journal() string {
	out, err := exec.Command("journalctl", "--no-pager", "--quiet", "--output=short-monotonic",
		"--directory="+filepath.Join(m.Root(), "var/log/journal")).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s: journal: %v: %s", m.opt.Name, err, out)
	}
	return string(out)
}
