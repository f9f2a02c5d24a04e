package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// sweep removes the beds of benches that have died, with what runs on them.
func sweep() error {
	spaces, err := filepath.Glob("/run/netns/nvb*x*-*")
	if err != nil {
		return err
	}
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), "nvb*x*-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range append(spaces, dirs...) {
		var pid, bed int
		name := filepath.Base(path)
		if _, err := fmt.Sscanf(name, "nvb%dx%d-", &pid, &bed); err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		if filepath.Dir(path) != "/run/netns" {
			errs = append(errs, os.RemoveAll(path))
			continue
		}
		out, _ := exec.Command("ip", "netns", "pids", name).Output()
		for _, word := range strings.Fields(string(out)) {
			if pid, err := strconv.Atoi(word); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		errs = append(errs, run(nil, "ip", "netns", "del", name))
	}
	return errors.Join(errs...)
}
