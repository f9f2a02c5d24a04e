package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes what the figures depend on.
func machine() []string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	out := []string{
		fmt.Sprintf("%d x %s", runtime.NumCPU(), cpuModel()),
		"Linux " + unix.ByteSliceToString(u.Release[:]),
	}
	for _, argv := range [][]string{{"bird", "--version"}, {"/usr/lib/frr/bgpd", "--version"}} {
		text, _ := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		out = append(out, first)
	}
	return out
}

func cpuModel() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
