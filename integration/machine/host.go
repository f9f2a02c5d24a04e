package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/nvad/nvad/integration/debroot"
)

// The hierarchies of control groups in which systemd keeps its units on a host: the unified
// one or, if the controllers are in other hierarchies, systemd's own beside it.
var hierarchies = []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"}

// makeGroups creates control groups for a machine, which systemd-nspawn would otherwise share
// with its caller's other machines.
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

// groupDirs lists the control groups of that name and those within, each after its parent.
func groupDirs(name string) (dirs []string) {
	for _, h := range hierarchies {
		_ = filepath.WalkDir(filepath.Join(h, name), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // a group may vanish meanwhile
		})
	}
	return dirs
}

// removeGroups removes the control groups of that name. No processes may be left in them.
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

// namespaceDir contains the named network namespaces.
const namespaceDir = "/run/netns"

// renew replaces a network namespace by a new one of the same name that keeps the veth ends,
// as a power cycle does: addresses, routes, tunnels, rules and settings are gone. No process
// may be left in the old one.
func renew(namespace string) error {
	fresh := namespace + ".on"
	nics, err := nicsOf(namespace)
	if err != nil {
		return err
	}
	if err := debroot.Run("ip", "netns", "add", fresh); err != nil {
		return err
	}
	var batch strings.Builder
	for _, nic := range nics {
		fmt.Fprintf(&batch, "link set %s netns %s\n", nic, fresh)
	}
	cmd := exec.Command("ip", "-n", namespace, "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("move the NICs of %s: %w: %s", namespace, err, out)
	}
	if err := debroot.Run("ip", "netns", "del", namespace); err != nil {
		return err
	}
	path := filepath.Join(namespaceDir, namespace)
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		return err
	}
	if err := syscall.Mount(filepath.Join(namespaceDir, fresh), path, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("name namespace %s: %w", namespace, err)
	}
	return debroot.Run("ip", "netns", "del", fresh)
}

func nicsOf(namespace string) (names []string, err error) {
	out, err := exec.Command("ip", "-n", namespace, "-json", "link", "show", "type", "veth").Output()
	if err != nil {
		return nil, fmt.Errorf("links of namespace %s: %w", namespace, err)
	}
	var links []struct{ IfName string }
	if err := json.Unmarshal(out, &links); err != nil {
		return nil, fmt.Errorf("links of namespace %s: %w", namespace, err)
	}
	for _, l := range links {
		names = append(names, l.IfName)
	}
	return names, nil
}
