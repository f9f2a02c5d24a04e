package dataplane_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/dataplane"
)

// TestSysctlsComeBack: a flush restores the sysctls that nvad set, although nvad was restarted
// and its configuration changed in between. A sysctl that another program has changed since
// then stays as it is.
func TestSysctlsComeBack(t *testing.T) {
	f := newFakes()
	f.sysctls = sysctls{"net.ipv4.ip_forward": "0", "net.ipv4.tcp_rmem": "1\t2\t3", "net.core.rmem_max": "5"}
	before := maps.Clone(f.sysctls)
	file := filepath.Join(t.TempDir(), "sysctls.state")
	options := func(o *dataplane.Options) { o.SysctlFile, o.Namespace = file, "boot 7" }
	set := func(values map[string]string) func(*testing.T, *dataplane.Dataplane) {
		return func(_ *testing.T, d *dataplane.Dataplane) {
			d.SetWanted(dataplane.Wanted{Sysctls: values})
			<-d.Ready()
			synctest.Wait()
		}
	}
	f.run(t, options, set(map[string]string{"net.ipv4.ip_forward": "1", "net.core.rmem_max": "6"}))
	f.run(t, options, func(t *testing.T, d *dataplane.Dataplane) {
		set(map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.tcp_rmem": "4 5 6", "net.core.rmem_max": "7"})(t, d)
		f.sysctls["net.core.rmem_max"] = "8"
		d.SetWanted(dataplane.Wanted{})
		if err := d.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
	before["net.ipv4.tcp_rmem"], before["net.core.rmem_max"] = "1 2 3", "8"
	if !maps.Equal(f.sysctls, before) {
		t.Errorf("after the flush %v, want %v", f.sysctls, before)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state file was not removed: %v", err)
	}
}

// TestCleanDistrustsState: the daemon's user writes the state file and root reads it. A link
// or a pipe in its place is refused at once, a file from another boot is ignored, and a
// setting outside the network sysctls is reported and not written.
func TestCleanDistrustsState(t *testing.T) {
	dir := t.TempDir()
	secret, link, pipe := filepath.Join(dir, "secret"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	state := filepath.Join(dir, "state")
	text := "boot 7\nkernel.core_pattern\t|/evil\tcore\nnet/../kernel/core_pattern\t|/evil\tcore\nnet.ipv4.ip_forward\t0\t1\ntoo\tfew\n"
	if err := errors.Join(os.WriteFile(secret, []byte(text), 0o600), os.Symlink(secret, link), unix.Mkfifo(pipe, 0o600),
		os.WriteFile(state, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	clean := func(routes, settings, namespace string) (*fakes, dataplane.Cleaned, error) {
		f := newFakes()
		f.sysctls = sysctls{"kernel.core_pattern": "core", "net/../kernel/core_pattern": "core", "net.ipv4.ip_forward": "1"}
		c, err := dataplane.Clean(dataplane.Options{FIB: f.fib, Tunnels: f.tunnels, NAT: f.nat, NICs: f.nics, Sysctls: f.sysctls,
			StateFile: routes, SysctlFile: settings, Namespace: namespace})
		return f, c, err
	}
	for _, bad := range []string{link, pipe, dir} {
		if _, _, err := clean(bad, "", "boot 7"); err == nil {
			t.Errorf("%s is accepted as the state file of routes", bad)
		}
		if _, _, err := clean("", bad, "boot 7"); err == nil {
			t.Errorf("%s is accepted as the state file of sysctls", bad)
		}
	}
	f, c, err := clean("", state, "boot 8")
	if err != nil || f.sysctls["net.ipv4.ip_forward"] != "1" || len(c.Left)+len(c.Sysctls) > 0 {
		t.Errorf("state file of another boot: %+v %v, %v", c, f.sysctls, err)
	}
	if err := os.WriteFile(state, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, c, err = clean("", state, "boot 7")
	if err != nil || f.sysctls["kernel.core_pattern"] != "core" || f.sysctls["net/../kernel/core_pattern"] != "core" || f.sysctls["net.ipv4.ip_forward"] != "0" {
		t.Errorf("%v, %v", f.sysctls, err)
	}
	if got := strings.Join(c.Left, "; "); strings.Count(got, "core_pattern") != 2 {
		t.Errorf("left %q", got)
	}
}
