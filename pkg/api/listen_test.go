package api_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
)

// socketPath is short: the path of a socket may have 107 bytes only, and t.TempDir
// contains the name of the test.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvad")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "nvad.sock")
}

func TestListenModeAndRemoval(t *testing.T) {
	path := socketPath(t)
	l, err := api.Listen(path, 0o660, apitest.OwnGroup(t))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode(), fs.ModeSocket|0o660; got != want {
		t.Errorf("mode %v, want %v", got, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	rest, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(rest) != 0 {
		t.Errorf("left behind: %v, %v", rest, err)
	}
}

// A directory with the setgid bit gives the socket its group, unless another one is
// asked for. That needs no chown(2), which the service may not call.
func TestListenGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a directory of another group")
	}
	const other = 65534
	for _, tt := range []struct {
		mode  fs.FileMode
		group string
		want  uint32
	}{
		{0o755, "", uint32(os.Getegid())},
		{0o755 | fs.ModeSetgid, "", other},
		{0o755 | fs.ModeSetgid, apitest.OwnGroup(t), uint32(os.Getegid())},
	} {
		path := socketPath(t)
		if err := errors.Join(os.Chown(filepath.Dir(path), -1, other), os.Chmod(filepath.Dir(path), tt.mode)); err != nil {
			t.Fatal(err)
		}
		l, err := api.Listen(path, 0o660, tt.group)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Gid; got != tt.want || info.Mode() != fs.ModeSocket|0o660 {
			t.Errorf("%v, group %q: the socket is %v of group %d, want %d", tt.mode, tt.group, info.Mode(), got, tt.want)
		}
		_ = l.Close()
	}
}

// For an nvad started by hand, nobody creates /run/nvad.
func TestListenMakesDirectory(t *testing.T) {
	path := filepath.Join(filepath.Dir(socketPath(t)), "run", "nvad.sock")
	l, err := api.Listen(path, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestListenReplacesStaleSocket(t *testing.T) {
	path := socketPath(t)
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	_ = old.Close()

	l, err := api.Listen(path, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestListenRefuses(t *testing.T) {
	file := socketPath(t)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy := socketPath(t)
	l, err := api.Listen(busy, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	for _, tt := range []struct{ name, path, group, want string }{
		{"answered", busy, "", "another nvad answers on " + busy},
		{"file", file, "", file + " exists and is not a socket"},
		{"no directory", "/nonexistent/run/nvad.sock", "", "listen on /nonexistent/run/nvad.sock"},
		{"unknown group", socketPath(t), "no-such-group", "unknown group no-such-group"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := api.Listen(tt.path, 0o660, tt.group)
			if err == nil {
				_ = l.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not contain %q", err, tt.want)
			}
		})
	}
}

func TestCloseLeavesSuccessorsSocket(t *testing.T) {
	path := socketPath(t)
	l, err := api.Listen(path, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor, err := api.Listen(path, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	_ = l.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the successor's socket is gone: %v", err)
	}
}
