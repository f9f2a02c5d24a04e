package history

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// mostBytes bounds a file of the history: twice the largest configuration.
const mostBytes = 16 << 20

// read returns a file of the history, if nobody else can have written it: a start
// runs what it says. With a socket in /tmp, say, anybody could have made the
// directory first.
func (h *History) read(name string) ([]byte, error) {
	if err := own(h.dir, fs.ModeDir); err != nil {
		return nil, err
	}
	path := filepath.Join(h.dir, name)
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := judge(path, info, 0); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err == nil && len(data) > mostBytes {
		err = fmt.Errorf("%s is larger than %d MiB", path, mostBytes>>20)
	}
	return data, err
}

// own returns an error unless path is of that type and only root and this process's
// user can change it.
func own(path string, kind fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return judge(path, info, kind)
}

func judge(path string, info fs.FileInfo, kind fs.FileMode) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode().Type() != kind:
		return fmt.Errorf("%s is a link, or not of the kind that nvad made", path)
	case !ok:
		return errors.New("owner unknown")
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (uid %d), whose configurations are not run", path, st.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s may be written by others (mode %04o), whose configurations are not run", path, info.Mode().Perm())
	}
	return nil
}
