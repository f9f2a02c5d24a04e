// Package machine boots Debian machines with systemd as PID 1, for tests of features that only
// a booted machine has: the service manager, the package manager, cloud-init,
// systemd-networkd, a reboot.
//
// A machine is a systemd-nspawn container. Its root is a copy-on-write layer over a root that
// debootstrap made once, from the mirror that apt uses on this host. That root stays in the
// user's cache directory. The machine's network is a network namespace of the caller's: the
// veth ends there are its NICs. Nothing of the container is registered with the host's service
// manager, which need not be systemd.
//
// A machine owns its layer, its control groups and, after Start, the namespace. Every start
// replaces the namespace by a new one of the same name that keeps nothing but the NICs. If a
// test process dies, the next one removes what it has left.
//
// The suite is the host's. Images of Ubuntu, on which most NVAs run, are not available where
// these tests run. Ubuntu has the same systemd, networkd and cloud-init in other versions.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nvad/nvad/integration/debroot"
)

// Options say which machine to create.
type Options struct {
	// Name is its host name.
	Name string
	// Namespace is the named network namespace (ip-netns(8)) whose veth ends are the machine's
	// NICs. Every start removes everything else from it.
	Namespace string
}

// Machine is a machine that is on or off. Only one goroutine may use its methods, except
// Command and the methods built on it.
type Machine struct {
	opt  Options
	id   string // unique among all machines of this host
	dir  string
	proc *exec.Cmd // systemd-nspawn, nil when off
	done chan struct{}
}

// idPrefix is the beginning of a machine's id. The id of the process that owns it follows.
const idPrefix = "nvadm"

var count atomic.Int32

// New creates a machine that is off.
func New(o Options) (*Machine, error) {
	base, err := baseRoot()
	if err != nil {
		return nil, err
	}
	cache, err := debroot.Cache()
	if err != nil {
		return nil, err
	}
	if err := sweep(cache); err != nil {
		return nil, fmt.Errorf("machines left by others: %w", err)
	}
	id := fmt.Sprintf("%s%dx%d", idPrefix, os.Getpid(), count.Add(1))
	m := &Machine{opt: o, id: id, dir: filepath.Join(cache, id)}
	for _, sub := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(m.dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", base, m.dir, m.dir)
	if err := syscall.Mount("overlay", m.Root(), "overlay", 0, layers); err != nil {
		return nil, errors.Join(fmt.Errorf("root of %s: %w", o.Name, err), m.Remove())
	}
	err = errors.Join(
		m.Write("/etc/hostname", o.Name+"\n"),
		m.Write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 "+o.Name+"\n"),
	)
	if err != nil {
		return nil, errors.Join(err, m.Remove())
	}
	return m, nil
}

// Root returns the directory that is the machine's root, on or off. It does not show what a
// running machine has below /run and /tmp.
func (m *Machine) Root() string { return filepath.Join(m.dir, "root") }

// Write writes a file in the machine, on or off, and creates missing directories.
func (m *Machine) Write(path, text string) error {
	path = filepath.Join(m.Root(), path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// Start switches the machine on and returns at once. The machine shuts down when the process
// that started it dies.
func (m *Machine) Start() error {
	if err := renew(m.opt.Namespace); err != nil {
		return err
	}
	groups, err := makeGroups(m.id)
	if err != nil {
		return err
	}
	console, err := os.OpenFile(filepath.Join(m.dir, "console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer console.Close()
	cmd := exec.Command("sh", "-c", entering(groups), "sh",
		"systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--directory="+m.Root(),
		"--capability=CAP_NET_ADMIN", "--machine="+m.id, "--network-namespace-path="+filepath.Join(namespaceDir, m.opt.Namespace),
		"--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=read-only")
	// The network settings belong to the namespace, so the machine may change them.
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network")
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setsid: true}
	done := make(chan struct{})
	if err := startOnThread(cmd, done); err != nil {
		return fmt.Errorf("start %s: %w", m.opt.Name, err)
	}
	m.proc, m.done = cmd, done
	return nil
}

// startOnThread starts a command that gets its parent-death signal and closes done when it has
// ended. The kernel sends that signal when the starting thread ends, so this thread does
// nothing else.
func startOnThread(cmd *exec.Cmd, done chan struct{}) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(done)
		}
	}()
	return <-started
}

// Stop shuts the machine down cleanly and waits until it is off.
func (m *Machine) Stop(ctx context.Context) error {
	if m.proc == nil {
		return nil
	}
	if err := m.proc.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", m.opt.Name, err)
	}
	return m.off(ctx)
}

// Kill cuts the machine's power.
func (m *Machine) Kill() error {
	if m.proc == nil {
		return nil
	}
	killGroups(m.id)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return m.off(ctx)
}

// Reboot shuts the machine down cleanly and starts it again. It returns once the machine has
// begun to boot.
func (m *Machine) Reboot(ctx context.Context) error {
	if err := m.Stop(ctx); err != nil {
		return err
	}
	return m.Start()
}

// off waits until systemd-nspawn and everything that ran in the machine have ended.
func (m *Machine) off(ctx context.Context) error {
	select {
	case <-m.done:
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", m.opt.Name, ctx.Err())
	}
	m.proc = nil
	return removeTraces(ctx, m.id)
}

// removeTraces removes from the host what an ended machine has left: its control groups, once
// the last process is gone, and systemd-nspawn's directory.
func removeTraces(ctx context.Context, id string) error {
	for {
		err := removeGroups(id)
		if err == nil {
			return removeIfThere(filepath.Join("/run/systemd/nspawn/propagate", id))
		}
		killGroups(id)
		select {
		case <-ctx.Done():
			return fmt.Errorf("machine %s does not end: %w", id, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Remove cuts the power and removes the machine. The namespace stays.
func (m *Machine) Remove() error {
	return errors.Join(m.Kill(), removeLayer(m.dir))
}

func removeLayer(dir string) error {
	if err := syscall.Unmount(filepath.Join(dir, "root"), 0); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return os.RemoveAll(dir)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// sweep removes the machines of processes that died before they could.
func sweep(cache string) error {
	dirs, err := filepath.Glob(filepath.Join(cache, idPrefix+"*x*"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for _, dir := range dirs {
		id := filepath.Base(dir)
		pid, _, _ := strings.Cut(strings.TrimPrefix(id, idPrefix), "x")
		if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			errs = append(errs, removeTraces(ctx, id), removeLayer(dir))
		}
	}
	return errors.Join(errs...)
}
