package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Where a host has the hierarchies of control groups in which systemd keeps its
// units: the unified one, and beside it the one of its own where the controllers
// have theirs.
var hierarchies = []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"}

// makeGroups makes control groups for a machine, which systemd-nspawn would else
// share with its caller's other machines.
func makeGroups(name string) ([]string, error) {
	var groups []string
	for _, h := range hierarchies {
		if _, err := os.Stat(filepath.Join(h, "cgroup.procs")); err != nil {
			continue
		}
		group := filepath.Join(h, name)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return groups, err
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// killGroups kills every process in the control groups of that name.
func killGroups(name string) {
	for _, dir := range groupDirs(name) {
		procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for field := range strings.FieldsSeq(string(procs)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// groupDirs lists the control groups of that name and those within, each after
// the one it is in.
func groupDirs(name string) (dirs []string) {
	for _, h := range hierarchies {
		_ = filepath.WalkDir(filepath.Join(h, name), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // a group may vanish under way
		})
	}
	return dirs
}

// removeGroups removes the control groups of that name, which must be empty of
// processes.
func removeGroups(name string) error {
	var errs []error
	for _, dir := range slices.Backward(groupDirs(name)) {
		if err := os.Remove(dir); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// entering is a shell script that moves itself into groups and then becomes the
// command in its arguments.
func entering(groups []string) string {
	var b strings.Builder
	for _, g := range groups {
		b.WriteString("echo $$ >" + g + "/cgroup.procs && ")
	}
	return b.String() + `exec "$@"`
}
