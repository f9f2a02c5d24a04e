package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var built struct {
	sync.Mutex
	binaries map[string]string
}

// Build returns the program of a command of this module. It uses the program in the directory
// that NVAD_PROGRAMS names, where `make test` has built it once for all packages. Otherwise it
// builds the program, once for each test binary.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	if dir := os.Getenv("NVAD_PROGRAMS"); dir != "" {
		return filepath.Join(dir, filepath.Base(pkg))
	}
	built.Lock()
	defer built.Unlock()
	if path, ok := built.binaries[pkg]; ok {
		return path
	}
	root, err := ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := BuildDir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.Base(pkg))
	// When root works in another user's tree, git refuses to report the version.
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, pkg)
	cmd.Dir = root
	if err := AsInvoker(cmd, dir); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	if built.binaries == nil {
		built.binaries = map[string]string{}
	}
	built.binaries[pkg] = path
	return path
}

// AsInvoker makes a build under sudo run as the user who called sudo, so that no root-owned
// files are left in that user's build cache. It gives the user dir to build into.
func AsInvoker(cmd *exec.Cmd, dir string) error {
	uid, errUID := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32)
	gid, errGID := strconv.ParseUint(os.Getenv("SUDO_GID"), 10, 32)
	if errUID != nil || errGID != nil || os.Geteuid() != 0 {
		return nil
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(dir, int(uid), int(gid))
}

// ModuleRoot finds the directory of this module above the working directory.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no go.mod above the working directory")
}

const buildDirPrefix = "nvad-lab-build-"

// BuildDir returns the directory for the programs that this process builds. Main removes it.
// It may not exist yet.
func BuildDir() string {
	return filepath.Join(os.TempDir(), buildDirPrefix+strconv.Itoa(os.Getpid()))
}

// sweepBuilds removes the builds of processes that died before Main could remove them.
func sweepBuilds() error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), buildDirPrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), buildDirPrefix))
		if err == nil && !alive(pid) {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}
