package ctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

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
// The caller may be root, so nobody else may be able to redirect the write: no component
// of the path may be a symbolic link or a directory that others can change.
func restore(path string, text []byte) (bool, error) {
	shared, err := checkDirectory(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	before, err := openRegular(path, shared)
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
	if kept, err := openRegular(path+".old", shared); err == nil {
		_ = kept.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := replace(path+".old", old, before); err != nil {
		return false, err
	}
	return true, replace(path, text, before)
}

// checkDirectory refuses a directory unless only root and the caller can replace it, or
// files in it that are theirs. It begins at the root: once a directory has passed, nobody
// else can change to what a path through it leads. Shared reports that others may create
// files in the directory, as in /tmp.
func checkDirectory(path string) (shared bool, err error) {
	if parent := filepath.Dir(path); parent != path {
		if _, err := checkDirectory(parent); err != nil {
			return false, err
		}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	shared = info.Mode()&fs.ModeSticky != 0
	switch {
	case !info.IsDir():
		err = fmt.Errorf("%s is a symbolic link or no directory: name the file by its real path", path)
	case !trusted(info):
		err = fmt.Errorf("%s belongs to another user, who could redirect the write", path)
	case info.Mode()&0o022 != 0 && !shared:
		err = fmt.Errorf("others may write to %s and could redirect the write: run chmod go-w %[1]s first", path)
	}
	return shared, err
}

// trusted reports whether a file's owner is root or the caller.
func trusted(info fs.FileInfo) bool {
	uid := info.Sys().(*syscall.Stat_t).Uid
	return uid == 0 || int(uid) == os.Geteuid()
}

// openRegular opens a file for reading. It must be a regular file and, in a shared
// directory, one of root or the caller.
func openRegular(path string, shared bool) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: name the file by its real path", path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", path)
	case shared && !trusted(info):
		err = fmt.Errorf("%s belongs to another user", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// replace writes a file under another name, gives it owner and mode of like, and renames
// it, so that nobody can read half of it, or read it before it is protected.
func replace(path string, text []byte, like *os.File) error {
	fresh, err := privateFile(path)
	if err != nil {
		return err
	}
	defer fresh.Cleanup()
	if _, err := fresh.Write(text); err != nil {
		return err
	}
	if err := protect(fresh.File, like); err != nil {
		return err
	}
	if err := fresh.CloseAtomicallyReplace(); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close()) // so that the name survives a crash
}

// protect gives f the owner, the access list and the mode of like. The list comes before
// the mode: f may have inherited a list from its directory, which would grant the mode's
// group bits to users who have no access to like.
func protect(f, like *os.File) error {
	info, err1 := like.Stat()
	fresh, err2 := f.Stat()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	st, own := info.Sys().(*syscall.Stat_t), fresh.Sys().(*syscall.Stat_t)
	if own.Uid != st.Uid || own.Gid != st.Gid {
		if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return fmt.Errorf("can't keep the owner: %w", err)
		}
	}
	list := make([]byte, 4096)
	n, err := unix.Fgetxattr(int(like.Fd()), accessList, list)
	switch {
	case err == nil:
		err = unix.Fsetxattr(int(f.Fd()), accessList, list[:n], 0)
	case errors.Is(err, unix.ENODATA):
		if err = unix.Fremovexattr(int(f.Fd()), accessList); errors.Is(err, unix.ENODATA) {
			err = nil
		}
	}
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("can't keep the access list: %w", err)
	}
	return f.Chmod(info.Mode().Perm())
}
