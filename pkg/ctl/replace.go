package ctl

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mostText bounds the file to replace, in bytes: nvad reads no larger one.
const mostText = 8 << 20

// accessList is the extended attribute with a file's POSIX ACL.
const accessList = "system.posix_acl_access"

// restore writes text to the file at the absolute path, and the old content of the file
// to path.old, both with the file's mode, access list and owner. It reports whether
// there was anything to do.
//
// The caller may be root, so nobody else may be able to redirect the write. No component
// of the path may be a symbolic link or a directory that others can change, and once the
// directory is open, every file is opened relative to it.
func restore(path string, text []byte) (bool, error) {
	dir, err := openDirectory(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	defer dir.Close()
	name := filepath.Base(path)
	before, err := dir.open(name)
	if err != nil {
		return false, err
	}
	defer before.Close()
	old, err := io.ReadAll(io.LimitReader(before, mostText+1))
	switch {
	case err != nil || bytes.Equal(old, text):
		return false, err
	case len(old) > mostText:
		return false, fmt.Errorf("%s is larger than %d MiB", path, mostText>>20)
	}
	if kept, err := dir.open(name + ".old"); err == nil {
		_ = kept.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := dir.replace(name+".old", old, before); err != nil {
		return false, err
	}
	return true, dir.replace(name, text, before)
}

// directory is an open directory in which only root and the caller can replace files.
type directory struct {
	*os.File
	shared bool // others may create files in it, as in /tmp, but not replace ours
}

// openDirectory walks from the root to an absolute path. It fails at a symbolic link, and
// at a directory in which somebody else could replace the next component.
func openDirectory(path string) (*directory, error) {
	d, err := step(nil, "/", "/")
	for at := ""; err == nil && at != path; {
		next, _, _ := strings.Cut(strings.TrimPrefix(path[len(at):], "/"), "/")
		if next == "" {
			break
		}
		at += "/" + next
		before := d
		d, err = step(before, next, at)
		_ = before.Close()
	}
	return d, err
}

// step opens one component of a path in the directory before it, and checks it. path is
// for the errors.
func step(in *directory, name, path string) (*directory, error) {
	at := unix.AT_FDCWD
	if in != nil {
		at = int(in.Fd())
	}
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link or no directory: name the file by its real path", path)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	d := &directory{File: os.NewFile(uintptr(fd), path)}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.shared = st.Mode&unix.S_ISVTX != 0
	switch {
	case !trusted(st.Uid):
		err = fmt.Errorf("%s belongs to another user, who could redirect the write", path)
	case st.Mode&0o022 != 0 && !d.shared:
		err = fmt.Errorf("others may write to %s and could redirect the write: run chmod go-w %[1]s first", path)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// trusted reports whether a file's owner is root or the caller.
func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

// open opens a file of the directory for reading. It must be a regular file.
func (d *directory) open(name string) (*os.File, error) {
	path := filepath.Join(d.Name(), name)
	fd, err := unix.Openat(int(d.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: name the file by its real path", path)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = fmt.Errorf("%s is not a regular file", path)
	case d.shared && !trusted(st.Uid):
		err = fmt.Errorf("%s belongs to another user", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// replace writes a file under another name, gives it owner and mode of like, and renames
// it, so that nobody can read half of it, or read it before it is protected.
func (d *directory) replace(name string, text []byte, like *os.File) (err error) {
	fresh := "." + name + "." + rand.Text()
	fd, err := unix.Openat(int(d.Fd()), fresh, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &fs.PathError{Op: "create", Path: filepath.Join(d.Name(), fresh), Err: err}
	}
	f := os.NewFile(uintptr(fd), fresh)
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(int(d.Fd()), fresh, 0)
		}
	}()
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := protect(f, like); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := unix.Renameat(int(d.Fd()), fresh, int(d.Fd()), name); err != nil {
		return err
	}
	return d.sync()
}

// sync makes the names in the directory survive a crash. It opens the directory again,
// as fsync refuses one that was opened with O_PATH.
func (d *directory) sync() error {
	fd, err := unix.Openat(int(d.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fsync(fd), unix.Close(fd))
}

// protect gives f the owner, the access list and the mode of like. The list comes before
// the mode: f may have inherited a list from its directory, which would grant the mode's
// group bits to users who have no access to like.
func protect(f, like *os.File) error {
	fd := int(f.Fd())
	var st, own unix.Stat_t
	if err := errors.Join(unix.Fstat(int(like.Fd()), &st), unix.Fstat(fd, &own)); err != nil {
		return err
	}
	if own.Uid != st.Uid || own.Gid != st.Gid {
		if err := unix.Fchown(fd, int(st.Uid), int(st.Gid)); err != nil {
			return fmt.Errorf("can't keep the owner: %w", err)
		}
	}
	list := make([]byte, 4096)
	n, err := unix.Fgetxattr(int(like.Fd()), accessList, list)
	switch {
	case err == nil:
		err = unix.Fsetxattr(fd, accessList, list[:n], 0)
	case errors.Is(err, unix.ENODATA):
		if err = unix.Fremovexattr(fd, accessList); errors.Is(err, unix.ENODATA) {
			err = nil
		}
	}
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("can't keep the access list: %w", err)
	}
	return unix.Fchmod(fd, st.Mode&0o777)
}
