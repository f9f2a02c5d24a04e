package bootstrap

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// The mark before the configuration, by which a changed file is known.
const (
	markWho = "# Written by nvad bootstrap, which writes it again as long as it is unchanged.\n"
	markSum = "# sha256 of what follows: "
)

// group may read the file; it is the group that nvad runs as.
const group = "nvad"

// mode of the file: it may come to hold passwords.
const mode fs.FileMode = 0o640

// ErrChanged is the error where the file was not written by bootstrap, or was
// changed since.
var ErrChanged = errors.New("was not written by nvad bootstrap, or was changed since")

// marked is content with the mark before it.
func marked(content []byte) []byte {
	mark := fmt.Sprintf("%s%s%x\n", markWho, markSum, sha256.Sum256(content))
	return append([]byte(mark), content...)
}

// own reports whether file is as bootstrap wrote it.
func own(file []byte) bool {
	rest, ok := bytes.CutPrefix(file, []byte(markWho+markSum))
	if !ok {
		return false
	}
	_, content, _ := bytes.Cut(rest, []byte("\n"))
	return bytes.Equal(file, marked(content))
}

// write puts content, which it marks, into the file at path: all of it, readable
// by root and the group, or nothing. It reports whether there was anything to
// change. A file that is not its own it leaves alone; the error is then
// [ErrChanged].
func write(path string, content []byte) (bool, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	fresh := marked(content)
	old, err := replaceable(path)
	if err != nil {
		return false, err
	}
	if bytes.Equal(old, fresh) {
		return false, permitAt(path)
	}
	return true, replace(path, fresh)
}

// replaceable returns what the file at path holds, nil if there is none. The error
// is [ErrChanged] if it is not to be replaced.
func replaceable(path string) ([]byte, error) {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && len(bytes.TrimSpace(old)) > 0 && !own(old):
		return nil, ErrChanged
	}
	return old, err
}

// replace writes beside path and then takes its place, so that no reader sees
// half of it, and a crash leaves one or the other.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it was renamed
	_, err = f.Write(data)
	if err = errors.Join(err, permit(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func permitAt(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(permit(f), f.Close())
}

// permit gives the file its mode and, as root, its owner: root, and the group
// where there is one. It goes by the open file: by its name, root would give away
// whatever somebody put there meanwhile.
func permit(f *os.File) error {
	if err := f.Chmod(mode); err != nil || os.Geteuid() != 0 {
		return err
	}
	gid := 0
	if g, err := user.LookupGroup(group); err == nil {
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
	}
	return f.Chown(0, gid)
}
