package bootstrap

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// The mark at the top of the file, by which bootstrap recognises its own file and notices
// changes. An upgrade must recognise older files, so it never changes.
const (
	markWho = "# Written by nvad bootstrap, which writes it again as long as it is unchanged.\n"
	markSum = "# sha256 of what follows: "
)

// group is the group that nvad runs as. It may read the file.
const group = "nvad"

// mode is the mode of the file, to which passwords may be added later.
const mode fs.FileMode = 0o640

// ErrChanged reports a file that bootstrap did not write, or that was changed since.
var ErrChanged = errors.New("was not written by nvad bootstrap, or was changed since")

// marked returns content with the mark before it.
func marked(content []byte) []byte {
	mark := fmt.Sprintf("%s%s%x\n", markWho, markSum, sha256.Sum256(content))
	return append([]byte(mark), content...)
}

// own reports whether file is exactly as bootstrap wrote it.
func own(file []byte) bool {
	rest, ok := bytes.CutPrefix(file, []byte(markWho+markSum))
	if !ok {
		return false
	}
	_, content, _ := bytes.Cut(rest, []byte("\n"))
	return bytes.Equal(file, marked(content))
}

// write replaces the file at path with the marked content, readable by root and the
// group, and reports whether that changed the file. A file that is not its own stays as
// it is; the error is then [ErrChanged].
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

// replaceable returns the content of the file at path; nil if there is none. The error is
// [ErrChanged] if the file must not be replaced. An empty file may be.
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

// replace writes a new file and renames it to path. So no reader sees half of it, and a
// crash leaves either the old file or the new one.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename
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

// permit sets the mode of the file and, if run by root, its owner: root, and the group if
// it exists. It works on the open file: if somebody replaced the path meanwhile, root would
// otherwise hand over that other file.
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

// KeyFile is the name of the file with the TCP-MD5 key of the sessions between NVAs. It is
// beside the configuration, which refers to it and does not contain the key.
const KeyFile = "nva.key"

// maxKey is the longest TCP-MD5 key that Linux accepts, in octets (TCP_MD5SIG_MAXKEYLEN).
const maxKey = 80

// readSecret returns the key in a file, without the line break at its end; nil if path is
// empty. Errors do not quote the key.
func readSecret(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--secret-file: %w", err)
	}
	defer f.Close()
	key, err := io.ReadAll(io.LimitReader(f, 2*maxKey))
	if err != nil {
		return nil, fmt.Errorf("--secret-file: %w", err)
	}
	key = bytes.TrimRight(key, "\r\n")
	switch {
	case len(key) == 0:
		return nil, fmt.Errorf("--secret-file: %s is empty; write the TCP-MD5 key into it", path)
	case len(key) > maxKey:
		return nil, fmt.Errorf("--secret-file: %s has more than the %d octets that a TCP-MD5 key may have", path, maxKey)
	case bytes.ContainsFunc(key, func(r rune) bool { return r < ' ' }):
		return nil, fmt.Errorf("--secret-file: %s has several lines or control characters; write only the key into it", path)
	}
	return key, nil
}

// keyPath returns the path of the key for the configuration at output; empty without a
// key.
func keyPath(key []byte, output string) (string, error) {
	if key == nil {
		return "", nil
	}
	dir, err := filepath.Abs(filepath.Dir(output))
	return filepath.Join(dir, KeyFile), err
}

// writeKey writes the key to the file at path, with the mode and owner of the
// configuration.
func writeKey(path string, key []byte) error {
	if path == "" {
		return nil
	}
	return replace(path, append(bytes.Clone(key), '\n'))
}
