package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A lock that can't be created is no sign of another nvad, and does not refuse the
// start.
func TestLockThatCantBeMade(t *testing.T) {
	for err, want := range map[error]bool{
		fs.ErrPermission: true, fs.ErrNotExist: true, unix.EROFS: true, unix.ENOSPC: true, unix.EDQUOT: true,
		unix.EWOULDBLOCK: false, unix.EIO: false,
	} {
		if got := cannotMake(&os.PathError{Op: "open", Err: err}); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
	path := filepath.Join(t.TempDir(), "lock")
	held, err := take(path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := take(path); err == nil || cannotMake(err) {
		t.Errorf("a lock that is taken: %v", err)
	}
	if _, err := take("/dev/full/lock"); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("no error: %v", err)
	}
}
