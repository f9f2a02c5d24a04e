package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Listen creates the unix socket at path with a mode and a group. If group is empty,
// the socket gets the group of the directory if that has the setgid bit, otherwise that
// of the process. The directory is created if only its last part is missing. Closing
// the listener removes the socket.
//
// A socket that nobody answers on is replaced. It is an error if path is not a socket,
// and [ErrAnswers] if another nvad answers.
func Listen(path string, mode fs.FileMode, group string) (net.Listener, error) {
	gid, err := groupID(group)
	if err != nil {
		return nil, err
	}
	if err := checkFree(path); err != nil {
		return nil, err
	}
	// systemd creates the directory of a service; for an nvad started by hand nobody does.
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := bind(path, mode, gid)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{UnixListener: l, path: path, info: info}, nil
}

// ErrAnswers is the error for a socket that another nvad serves.
var ErrAnswers = errors.New("another nvad answers")

// groupID returns the id of a group. For an empty name it returns -1, which leaves the
// group of a file as it is.
func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("group of the socket: %w", err)
	}
	return strconv.Atoi(g.Gid)
}

// checkFree returns an error unless a socket may be created at path.
func checkFree(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return nil
	}
	_ = c.Close()
	return fmt.Errorf("%w on %s", ErrAnswers, path)
}

// bind creates the socket in a directory that only its owner can enter, and moves it to
// path once it has its group and mode. Otherwise, between bind(2) and chmod(2),
// everybody could connect whom the umask allows.
func bind(path string, mode fs.FileMode, gid int) (*net.UnixListener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".nvad-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if gid == os.Getegid() {
		// The directory has inherited the setgid bit. Without it, files created in it
		// belong to the group of the process.
		if err := os.Chmod(dir, 0o700); err != nil {
			return nil, err
		}
	}
	tmp := filepath.Join(dir, "sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	err = giveTo(tmp, gid)
	if err == nil {
		err = os.Chmod(tmp, mode)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// giveTo gives a new file to a group, unless it is in that group already, or gid is -1.
// The service may not call chown(2), and need not: a new file has the group of its
// directory, if that has the setgid bit, or that of the process.
func giveTo(path string, gid int) error {
	info, err := os.Stat(path)
	if err != nil || gid == -1 || int(info.Sys().(*syscall.Stat_t).Gid) == gid {
		return err
	}
	if err := os.Chown(path, -1, gid); err != nil {
		return fmt.Errorf("give the socket to group %d (or make it the group of the directory, with the setgid bit): %w", gid, err)
	}
	return nil
}

// listener removes its socket when it is closed, unless another one has replaced it.
type listener struct {
	*net.UnixListener
	path string
	info fs.FileInfo
	once sync.Once
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.info) {
			_ = os.Remove(l.path)
		}
	})
	return l.UnixListener.Close()
}
