// Package machine boots Debian machines with systemd as PID 1, for tests of what
// only a booted machine has: the service manager, the package manager, cloud-init,
// systemd-networkd, a reboot.
//
// A machine is a systemd-nspawn container. Its root is a copy-on-write layer over
// a root that debootstrap made once, from the mirror that apt uses on this host,
// and that stays in the user's cache directory. Its network is a network namespace
// of the caller's: the veth ends there are its NICs. Nothing of the container is
// registered with the host's service manager, which needs not be systemd.
//
// A machine owns its layer, its control groups and, from Start on, the namespace,
// which every start replaces by a fresh one of the same name that keeps nothing
// but the NICs. Whatever a test process that died has left, the next one removes.
//
// The suite is the host's. Images of Ubuntu, on which most NVAs run, can't be had
// where these tests run; systemd, networkd and cloud-init are the same programs
// there in other versions.
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
)

// Options say which machine to make.
type Options struct {
	// Name is its host name.
	Name string
	// Namespace is the named network namespace (ip-netns(8)) whose veth ends are
	// the machine's NICs. Every start takes everything else out of it.
	Namespace string
}

// Machine is a machine that is on or off. Its methods are for one goroutine,
// but for Command and what rests on it.
type Machine struct {
	opt  Options
	id   string // among all machines of this host
	dir  string
	proc *exec.Cmd // systemd-nspawn, nil when off
	done chan struct{}
}

// idPrefix begins the id of a machine; the process that owns it follows.
const idPrefix = "nvadm"

var count atomic.Int32

// New makes a machine that is off.
func New(o Options) (*Machine, error) {
	base, err := baseRoot()
	if err != nil {
		return nil, err
	}
	cache, err := cacheDir()
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

// Root is the directory that is the machine's root, on or off. What it has below
// /run and /tmp when it is on is not seen there.
func (m *Machine) Root() string { return filepath.Join(m.dir, "root") }

// Write puts a file into the machine, on or off, and makes the directories that
// are missing.
func (m *Machine) Write(path, text string) error {
	path = filepath.Join(m.Root(), path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// Start switches the machine on and returns at once. It shuts down when the
// process that started it dies.
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
	// The network's settings are the namespace's, so they are the machine's to change.
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

// startOnThread starts a command that gets its parent-death signal and closes done
// when it has ended. The kernel means the death of the thread that started it, so
// that thread does nothing else.
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

// Stop shuts the machine down in order and waits until it is off.
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

// Reboot shuts the machine down in order and starts it again. It returns when
// that has begun to boot.
func (m *Machine) Reboot(ctx context.Context) error {
	if err := m.Stop(ctx); err != nil {
		return err
	}
	return m.Start()
}

// off waits until systemd-nspawn and all that ran in the machine have ended.
func (m *Machine) off(ctx context.Context) error {
	select {
	case <-m.done:
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", m.opt.Name, ctx.Err())
	}
	m.proc = nil
	return removeTraces(ctx, m.id)
}

// removeTraces removes what a machine that has ended leaves on the host: its
// control groups, once the last process is gone, and systemd-nspawn's directory.
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

// sweep removes the machines of processes that died without doing so.
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
