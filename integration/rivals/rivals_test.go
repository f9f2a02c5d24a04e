package rivals_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// TestVersions: each rival is the version that its title promises. It runs without a mount on
// this machine, and is the process that was started, so that it ends with that.
func TestVersions(t *testing.T) {
	for _, r := range rivals.All {
		t.Run(r.Name, func(t *testing.T) {
			lab.RequireRival(t, r)
			kind, number, _ := strings.Cut(r.Title, " ")
			if got := strings.ReplaceAll(r.Version(), "bgpd", "FRR"); !strings.HasPrefix(got, kind+" version "+number) {
				t.Errorf("%s says that it is %q", r.Name, got)
			}
			argv := r.Command(t.TempDir(), "/bin/sleep", "60")
			cmd := exec.Command(argv[0], argv[1:]...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			lab.Eventually(t, 20*time.Second, func() error { return runs(cmd.Process.Pid, "sleep") })
			if mounts := read(t, "/proc/self/mountinfo"); strings.Contains(mounts, "nvad-machine/rivals") {
				t.Errorf("this machine has mounts of the root:\n%s", mounts)
			}
		})
	}
}

// runs returns nil once a process runs a program.
func runs(pid int, program string) error {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err == nil && strings.TrimSpace(string(name)) != program {
		err = fmt.Errorf("process %d runs %s", pid, name)
	}
	return err
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestFind: a shortened name means the newest version that fits.
func TestFind(t *testing.T) {
	for name, want := range map[string]rivals.Rival{
		"frr8.4": rivals.FRR8, "frr8": rivals.FRR8, "frr10": rivals.FRR10, "frr": rivals.FRR10,
		"bird2.0": rivals.BIRD20, "bird2": rivals.BIRD2, "bird2.17": rivals.BIRD2, "bird3": rivals.BIRD3, "bird": rivals.BIRD3,
	} {
		if got, err := rivals.Find(name); err != nil || got != want {
			t.Errorf("%s is %s, want %s: %v", name, got.Name, want.Name, err)
		}
	}
	for _, name := range []string{"", "frr9", "nvad", "frr8.4.4"} {
		if got, err := rivals.Find(name); err == nil {
			t.Errorf("%q is %s", name, got.Name)
		} else if !strings.Contains(err.Error(), "bird2.17, ") {
			t.Errorf("the error does not name those that there are: %v", err)
		}
	}
}
