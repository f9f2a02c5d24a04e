package daemon

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestProgramParts(t *testing.T) {
	part := func(header, anonymous string) string {
		return header + "\nSize:                  4 kB\nAnonymous:        " + anonymous + " kB\nVmFlags: rd ex mr\n"
	}
	const file = " 00001000 fd:01 77                   /usr/bin/nvad"
	for name, c := range map[string]struct {
		smaps string
		want  []mapping
	}{
		"code":            {part("00401000-00403000 r-xp"+file, "0"), []mapping{{0x401000, 0x2000}}},
		"constants":       {part("00401000-00403000 r--p"+file, "0"), []mapping{{0x401000, 0x2000}}},
		"variables":       {part("00401000-00403000 rw-p"+file, "0"), nil},
		"written to":      {part("00401000-00403000 r--p"+file, "4"), nil},
		"another file":    {part("00401000-00403000 r-xp 0 fd:01 77 /usr/lib/nvad", "0"), nil},
		"memory":          {part("00401000-00403000 r--p 00000000 00:00 0", "0"), nil},
		"no address":      {part("vdso-00403000 r-xp"+file, "0"), nil},
		"after variables": {part("00401000-00403000 rw-p"+file, "0") + part("00403000-00404000 r--p 0 00:00 0", "0"), nil},
	} {
		if got := programParts(c.smaps, "/usr/bin/nvad"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestUnmapProgram measures the pages of files that this test has in memory. A start reads
// most of the program. How many come back at once depends on how large pieces the kernel
// maps.
func TestUnmapProgram(t *testing.T) {
	before := residentFiles(t)
	unmapProgram()
	if after := residentFiles(t); after > before-1024 {
		t.Errorf("%d KiB of files in memory, %d before", after, before)
	}
}

// residentFiles includes those that are in memory anyway, as below /tmp where that is a tmpfs.
func residentFiles(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var n int
		name, value, _ := strings.Cut(line, ":")
		if name != "RssFile" && name != "RssShmem" {
			continue
		}
		if _, err := fmt.Sscanf(value, "%d kB", &n); err != nil {
			t.Fatal(line)
		}
		kib += n
	}
	return kib
}
