package daemon

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// memoryShare is the default of [limits] memory, in octets: five sixths of the
// smallest limit of the control groups that the process is in or, if that is less,
// half of the machine's memory. The last sixth is for what the kernel charges to a
// group beside the heap: sockets, netlink messages, the program itself. On a machine
// the kernel's routes and everybody else need as much again. root is the file
// system's.
func memoryShare(root fs.FS, machine uint64) uint64 {
	share := machine / 2
	if group, ok := groupLimit(root); ok {
		share = min(share, group/6*5)
	}
	return share
}

func machineMemory() uint64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 1 << 62
	}
	return info.Totalram * uint64(info.Unit)
}

// hierarchy is where one kind of control groups is mounted, and what the files are
// called there that limit memory.
type hierarchy struct {
	mounts []string
	files  []string
}

var (
	unified = hierarchy{[]string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, []string{"memory.max", "memory.high"}}
	legacy  = hierarchy{[]string{"sys/fs/cgroup/memory"}, []string{"memory.limit_in_bytes"}}
)

// groupLimit is the smallest limit from the process's control group upwards; false
// if there is none.
func groupLimit(root fs.FS) (limit uint64, ok bool) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(fields) < 3 {
			continue
		}
		h := unified
		if fields[1] != "" {
			if h = legacy; fields[1] != "memory" {
				continue
			}
		}
		if n, found := h.limit(root, fields[2]); found && (!ok || n < limit) {
			limit, ok = n, true
		}
	}
	return limit, ok
}

// limit walks from group up to the root of the hierarchy. In a container the group
// may be named as the host sees it and not be there: then the root alone counts.
func (h hierarchy) limit(root fs.FS, group string) (limit uint64, ok bool) {
	for _, mount := range h.mounts {
		for at := path.Join(mount, group); ; at = path.Dir(at) {
			for _, file := range h.files {
				text, _ := fs.ReadFile(root, path.Join(at, file))
				n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64) // "max" is no number
				if err == nil && (!ok || n < limit) {
					limit, ok = n, true
				}
			}
			if len(at) <= len(mount) {
				break
			}
		}
	}
	return limit, ok
}
