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
	"time"
)

// Listen creates the unix socket at path with the given mode and, unless group
// is empty, that group. A socket that nobody answers on is replaced. One that
// somebody answers on, or a file that is not a socket, is an error. The directory
// is made if only it is missing. Closing the listener removes the socket.
func Listen(path string, mode fs.FileMode, group string) (net.Listener, error) {
	gid, err := groupID(group)
	if err != nil {
		return nil, err
	}
	if err := checkFree(path); err != nil {
		return nil, err
	}
	// systemd makes the directory of a service; who starts nvad by hand has none.
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

// groupID returns -1, which leaves a file's group as it is, for no group.
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

// checkFree returns an error unless a socket may be put at path.
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
	return fmt.Errorf("another nvad answers on %s", path)
}

// bind makes the socket in a directory only its owner can enter and moves it to
// path when it has its group and mode: between bind(2) and chmod(2) it is open to
// whom the umask allows.
func bind(path string, mode fs.FileMode, gid int) (*net.UnixListener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".nvad-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
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

// giveTo gives a new file to a group, unless it is that group's, or gid is -1. The
// service may not call chown(2), and as a rule need not.
func giveTo(path string, gid int) error {
	if gid == -1 || gid == os.Getegid() {
		return nil
	}
	return os.Chown(path, -1, gid)
}

// listener removes its socket when it is closed, unless another one has taken
// its place meanwhile.
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
