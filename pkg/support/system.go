package support

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// System returns the exhibits about the machine: kernel, units, packages, and the names
// of the files that configure its network. It reads no file that may contain a secret, and
// does not run ss --info, which prints the keys of TCP-MD5.
func System() []Exhibit {
	list := []Exhibit{
		command("kernel/links.txt", "ip", "-details", "-statistics", "link"),
		command("kernel/addresses.txt", "ip", "address"),
		command("kernel/routes.txt", "ip", "-details", "route", "show", "table", "all"),
		command("kernel/routes6.txt", "ip", "-6", "-details", "route", "show", "table", "all"),
		command("kernel/rules.txt", "ip", "rule"),
		command("kernel/rules6.txt", "ip", "-6", "rule"),
		command("kernel/nexthops.txt", "ip", "-details", "nexthop"),
		command("kernel/neighbors.txt", "ip", "neighbor"),
		command("kernel/fdb.txt", "bridge", "fdb"),
		command("kernel/nft.txt", "nft", "list", "table", "inet", "nvad"),
		command("kernel/sockets.txt", "ss", "-tanpo", "( sport = 179 or dport = 179 )"),
		command("system/uname.txt", "uname", "-a"),
		command("system/unit.txt", "systemctl", "status", "--no-pager", "--full", "nvad"),
		command("system/unit-file.txt", "systemctl", "cat", "--no-pager", "nvad"),
		command("system/journal.txt", "journalctl", "--unit", "nvad", "--lines", "5000", "--no-pager", "--output", "short-iso-precise"),
		command("system/packages.txt", "dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Status}\n",
			"nvad", "frr", "bird*", "systemd", "cloud-init", "netplan.io", "nftables", "iproute2", "linux-image-*", "walinuxagent"),
		{Name: "kernel/sysctls.txt", Collect: sysctls},
		{Name: "system/files.txt", Collect: files},
	}
	for _, path := range []string{"/etc/os-release", "/proc/meminfo", "/proc/loadavg", "/proc/net/snmp", "/proc/net/netstat", "/proc/net/softnet_stat"} {
		list = append(list, Exhibit{Name: "system/" + filepath.Base(path) + ".txt", Collect: func(_ context.Context, w io.Writer) error {
			return copyFile(w, path)
		}})
	}
	return list
}

// command collects the output of a program, including its errors.
func command(name string, argv ...string) Exhibit {
	return Exhibit{Name: name, Collect: func(ctx context.Context, w io.Writer) error {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		cmd.Stdout, cmd.Stderr = w, w
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", argv[0], err)
		}
		return nil
	}}
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// sysctls prints the settings on which routing depends.
func sysctls(_ context.Context, w io.Writer) error {
	var paths []string
	for _, pattern := range []string{
		"ipv4/ip_forward", "ipv4/conf/*/rp_filter", "ipv4/conf/*/forwarding", "ipv4/conf/*/send_redirects", "ipv4/conf/*/accept_redirects",
		"ipv4/conf/*/accept_local", "ipv4/fib_multipath_*", "ipv4/nexthop_compat_mode", "ipv4/route/*", "ipv4/neigh/default/gc_thresh*",
		"ipv6/conf/*/forwarding", "ipv6/conf/*/disable_ipv6", "ipv6/conf/*/accept_ra", "core/rmem_max", "core/wmem_max",
		"core/netdev_max_backlog", "netfilter/nf_conntrack_count", "netfilter/nf_conntrack_max",
	} {
		found, err := filepath.Glob("/proc/sys/net/" + pattern)
		if err != nil {
			return err
		}
		paths = append(paths, found...)
	}
	var errs []error
	for _, path := range paths {
		value, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrPermission) {
			continue // write-only, such as route/flush
		}
		errs = append(errs, err)
		name := strings.ReplaceAll(strings.TrimPrefix(path, "/proc/sys/"), "/", ".")
		_, err = fmt.Fprintf(w, "%s = %s\n", name, strings.TrimSpace(string(value)))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// files lists the files that configure the network and nvad, by name, size and time. It
// does not read them.
func files(_ context.Context, w io.Writer) error {
	var errs []error
	for _, root := range []string{
		"/etc/nvad", "/run/nvad", "/var/lib/nvad", "/etc/netplan", "/run/netplan", "/etc/systemd/network", "/run/systemd/network",
		"/etc/systemd/networkd.conf", "/etc/systemd/networkd.conf.d", "/etc/sysctl.d", "/run/sysctl.d", "/etc/frr", "/etc/bird",
	} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				_, err = fmt.Fprintf(w, "%s: %v\n", path, err)
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(w, "%s %9d %s %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format("2006-01-02T15:04:05Z"), path)
			return err
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
