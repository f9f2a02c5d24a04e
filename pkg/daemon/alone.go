package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockDirectory is where nvad keeps its lock. Only root and nvad's own user can create
// files there. A lock that anybody can take, such as a port or an abstract socket,
// would let anybody keep nvad from starting.
const lockDirectory = "/run/nvad"

// lock keeps a second nvad out of the network namespace. It ends with the process.
type lock struct {
	*os.File
}

// unlockable is the error if the lock can't be created anywhere, for instance because
// the file systems are full or read-only.
type unlockable struct{ error }

// alone takes the lock of this network namespace, where a second nvad would write the
// same routes and devices. If nvad's user may not use lockDirectory, the lock is beside
// the socket. If it can't be created there either, the error is unlockable.
func alone(socket string) (io.Closer, error) {
	ns, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("lock of the network namespace: %w", err)
	}
	name := fmt.Sprintf("netns-%d.lock", ns.Sys().(*syscall.Stat_t).Ino)
	var errs []error
	for _, dir := range []string{lockDirectory, filepath.Dir(socket)} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			errs = append(errs, err)
			continue
		}
		if info, err := os.Stat(dir); dir == lockDirectory && err == nil && info.Mode().Perm()&0o022 != 0 {
			return nil, fmt.Errorf("%s may be written by others (mode %04o), who could keep nvad from starting: chmod go-w it first", dir, info.Mode().Perm())
		}
		l, err := take(filepath.Join(dir, name))
		if !cannotMake(err) {
			return l, err
		}
		errs = append(errs, err)
	}
	return nil, unlockable{fmt.Errorf("lock of the network namespace: %w", errors.Join(errs...))}
}

func cannotMake(err error) bool {
	return slices.ContainsFunc([]error{fs.ErrPermission, fs.ErrNotExist, unix.EROFS, unix.ENOSPC, unix.EDQUOT},
		func(e error) bool { return errors.Is(err, e) })
}

// take takes the lock at path, or says which process has it.
func take(path string) (io.Closer, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			defer f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("another nvad%s runs in this network namespace and would fight over its routes: stop it first", holder(f))
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// If the last holder removed the file after it was opened here, this lock is on a
		// file without a name, and the next nvad would create another one.
		if !current(f, path) {
			_ = f.Close()
			continue
		}
		if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
			return lock{f}, nil // the disk is full: the lock works, but does not say who has it
		}
		return lock{f}, errors.Join(f.Truncate(int64(len(fmt.Sprintln(os.Getpid())))), share(f))
	}
}

func current(f *os.File, path string) bool {
	held, err := f.Stat()
	named, e := os.Lstat(path)
	return err == nil && e == nil && os.SameFile(held, named)
}

// share gives a lock that root created to the owner of the directory. If an nvad that
// was started by hand leaves the file behind, the service can still take it.
func share(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	dir, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	st := dir.Sys().(*syscall.Stat_t)
	return f.Chown(int(st.Uid), int(st.Gid))
}

// holder returns " (pid N)" of the process that has the lock; empty if that is not
// known.
func holder(f *os.File) string {
	text := make([]byte, 16)
	n, err := f.ReadAt(text, 0)
	if pid := strings.TrimSpace(string(text[:n])); pid != "" && (err == nil || errors.Is(err, io.EOF)) {
		return fmt.Sprintf(" (pid %.10s)", pid)
	}
	return ""
}

// Close removes the lock and releases it.
func (l lock) Close() error {
	return errors.Join(os.Remove(l.Name()), l.File.Close())
}
