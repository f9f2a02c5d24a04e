package daemon

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unmapProgram takes the pages of the program file that only the start or a burst of work
// needed out of the process's memory. The kernel keeps them in its page cache, and maps a
// page again when it is used.
func unmapProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range programParts(string(maps), program) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.first, m.size, unix.MADV_DONTNEED)
	}
}

// mapping is a part of the address space.
type mapping struct{ first, size uintptr }

// programParts returns those mappings of smaps, a file of proc(5), that have nothing but
// pages of the program file: none was ever written to.
func programParts(smaps, program string) (parts []mapping) {
	var m mapping
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 5 && !strings.HasSuffix(f[0], ":"):
			m = mapping{}
			if len(f) == 6 && f[5] == program && !strings.Contains(f[1], "w") {
				m = parseMapping(f[0])
			}
		case len(f) >= 2 && f[0] == "Anonymous:" && f[1] == "0" && m.size > 0:
			parts = append(parts, m)
		}
	}
	return parts
}

// parseMapping reads two addresses in hexadecimal with a hyphen between. It returns an
// empty mapping if they are none.
func parseMapping(s string) mapping {
	from, to, _ := strings.Cut(s, "-")
	first, err1 := strconv.ParseUint(from, 16, 64)
	last, err2 := strconv.ParseUint(to, 16, 64)
	if err1 != nil || err2 != nil || last < first {
		return mapping{}
	}
	return mapping{uintptr(first), uintptr(last - first)}
}
