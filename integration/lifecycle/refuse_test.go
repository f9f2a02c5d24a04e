package lifecycle

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// touched returns the state that nvad changes when it runs: links, routes, sysctls
// and files.
func (b *bed) touched() string {
	b.Helper()
	sysctls := b.run("sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
	files, err := os.ReadDir(filepath.Dir(b.socket))
	if err != nil {
		b.Fatal(err)
	}
	links := b.ip("-br link")
	routes := b.ip("route show table all proto bgp") + b.ip("nexthop show proto 186")
	return fmt.Sprint(links, routes, sysctls.out, files)
}

// exitConfig is the exit code for a bad configuration file: EX_CONFIG of sysexits.h.
const exitConfig = 78

// refused starts nvad and checks that it ends at once with code 1, or with exitConfig for a
// bad file, that all of want is on stderr and that nothing has changed.
func (b *bed) refused(want ...string) {
	b.Helper()
	before := b.touched()
	r := b.run(b.daemonArgs()...)
	if r.code != 1 && r.code != exitConfig || r.out != "" {
		b.Errorf("exit code %d, stdout %q", r.code, r.out)
	}
	b.must(contains(r.err, want...))
	if after := b.touched(); after != before {
		b.Errorf("changed from\n%s\nto\n%s", before, after)
	}
}

// TestBadFile starts nvad, and nvad check, with invalid files.
func TestBadFile(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	bad := ordinary(open(peer1, "hold-tme = 9"), open("10.0.0.300"))
	bad.tunnel, bad.statics = true, []string{"10.0.210.0/33"}
	bad.rest = "[kernel]\nip-forward = true\nsysctls = { \"net.ipv4.ip_forward\" = \"1\" }"
	b.configure(bad)
	var want []string
	for text, key := range map[string]string{
		`"10.0.210.0/33"`: "static-route", "hold-tme": "neighbor.10.0.0.1.hold-tme", "10.0.0.300": "neighbor",
	} {
		want = append(want, fmt.Sprintf("%s:%d: %s", b.config, bad.line(text), key))
	}
	slices.Sort(want)
	b.refused(want...)
	start := b.run(b.daemonArgs()...)
	check := b.run(lab.Build(t, "./cmd/nvad"), "check", b.config)
	if start.code != exitConfig || check.code != 1 || check.out != "" || check.err != start.err {
		t.Errorf("nvad check: exit code %d, stdout %q, stderr:\n%snvad: exit code %d\n%s",
			check.code, check.out, check.err, start.code, start.err)
	}
	if n := strings.Count(check.err, "\n"); n != len(want) {
		t.Errorf("%d lines for %d errors:\n%s", n, len(want), check.err)
	}
}

// TestNoFile starts nvad without a file that it can read.
func TestNoFile(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.must(os.Symlink("loop", b.Dir+"/loop"))
	for path, want := range map[string]string{
		b.Dir + "/none.toml": "no such file or directory",
		b.Dir:                "is a directory",
		"/proc/self/mem":     "input/output error",
		b.Dir + "/loop":      "too many levels of symbolic links",
	} {
		b.config = path
		b.refused(path + ": " + want)
	}
	b.config = b.Write("secret.toml", ordinary().String())
	b.must(os.Chmod(b.config, 0o600))
	r := b.run("setpriv", "--reuid=nobody", lab.Build(t, "./cmd/nvad"), "check", b.config)
	if r.code == 0 {
		t.Error("the user nobody can read the file")
	}
	b.must(contains(r.err, "permission denied"))
}

// TestRivals runs other routing daemons beside nvad as their packages do, under their own
// users.
func TestRivals(t *testing.T) {
	t.Parallel()
	lab.RequireCommands(t, "bird", "/usr/lib/frr/zebra", "setpriv")
	for name, start := range map[string]func(b *bed, ns string) *netbed.Process{
		"zebra": func(b *bed, ns string) *netbed.Process {
			b.Sh("chown frr %s", b.Dir)
			return b.Spawn(ns, "zebra", "/usr/lib/frr/zebra", "-f", os.DevNull, "-i", b.Dir+"/zebra.pid",
				"--vty_socket", b.Dir, "-z", b.Dir+"/zserv", "-A", "127.0.0.1", "-P", "0")
		},
		"bird": func(b *bed, ns string) *netbed.Process {
			b.Sh("chown bird %s", b.Dir)
			conf := b.Write("bird.conf", "router id 10.0.0.4; protocol device {}\n")
			return b.Spawn(ns, "bird", "bird", "-f", "-u", "bird", "-g", "bird", "-c", conf, "-s", b.Dir+"/bird.ctl")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.configure(ordinary())
			elsewhere := start(b, b.theirs)
			b.runsAs(name)
			n := b.start() // in another namespace it is no rival
			b.tell("stop --flush")
			n.Ended()
			elsewhere.Kill()
			b.refusedBeside(start, name)
		})
	}
}

// refusedBeside starts the rival in nvad's namespace. nvad must refuse to start there, even
// with only the few capabilities that its service has.
func (b *bed) refusedBeside(start func(b *bed, ns string) *netbed.Process, name string) {
	b.Helper()
	pid := start(b, b.ours).Process.Pid
	b.Eventually(patience, func() error {
		r := b.run("cat", fmt.Sprintf("/proc/%d/comm", pid))
		return contains(r.out, name)
	})
	b.refused(fmt.Sprintf("%s (pid %d)", name, pid))
	few := append([]string{"setpriv", "--bounding-set=-all,+net_admin,+net_bind_service,+net_raw"}, b.daemonArgs()...)
	r := b.run(few...)
	if r.code != 1 {
		b.Errorf("exit code %d with few capabilities", r.code)
	}
	b.must(contains(r.err, fmt.Sprintf("%s (pid %d)", name, pid)))
}

// runsAs waits until a process with that name runs in the neighbors' namespace under its
// package's user.
func (b *bed) runsAs(name string) {
	b.Helper()
	user := map[string]string{"zebra": "frr", "bird": "bird"}[name]
	b.Eventually(patience, func() error {
		for pid := range strings.FieldsSeq(b.Sh("ip netns pids %s", b.NS(b.theirs))) {
			out := b.run("ps", "-o", "user=,comm=", "-p", pid).out
			if contains(out, user, name) == nil {
				return nil
			}
		}
		return fmt.Errorf("no %s of user %s", name, user)
	})
}

// TestSquatters lets an unprivileged user try to keep nvad from starting: by taking a name
// that nvad needs, and by giving a process the name of a rival.
func TestSquatters(t *testing.T) {
	t.Parallel()
	lab.RequireCommands(t, "setpriv", "unshare", "flock")
	b := newBed(t)
	b.configure(ordinary())
	var name net.Listener
	b.must(lab.WithinNamespace(b.NS(b.ours), func() (err error) {
		name, err = net.Listen("unix", "@nvad")
		return err
	}))
	defer name.Close()
	b.Sh("cp /bin/sleep %s/bird", b.Dir)
	nobody := []string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"}
	pretenders := []int{
		b.Spawn(b.ours, "bird", append(nobody, b.Dir+"/bird", "60")...).Process.Pid,
		b.Spawn(b.ours, "unshared", append(nobody, "unshare", "--user", "--map-root-user", b.Dir+"/bird", "60")...).Process.Pid,
	}
	for _, pid := range pretenders {
		b.Eventually(patience, func() error { return contains(b.run("cat", fmt.Sprintf("/proc/%d/comm", pid)).out, "bird") })
	}
	n := b.start()
	var st syscall.Stat_t
	b.must(syscall.Stat("/run/netns/"+b.NS(b.ours), &st))
	lock := fmt.Sprintf("/run/nvad/netns-%d.lock", st.Ino)
	if r := b.run(append(nobody, "flock", "--nonblock", lock, "true")...); r.code == 0 || !strings.Contains(r.err, "Permission denied") {
		t.Errorf("nobody can take the lock: %+v", r)
	}
	b.refused(fmt.Sprintf("another nvad (pid %d)", n.Cmd.Process.Pid))
	n.Stop()
	if _, err := os.Stat(lock); err == nil {
		t.Error("nvad left its lock")
	}
}

// TestSecond starts a second nvad: on the same socket, on its own socket, and in another
// namespace.
func TestSecond(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.configure(ordinary())
	first := b.start()
	pid := fmt.Sprintf("another nvad (pid %d)", first.Cmd.Process.Pid)
	b.refused(pid)
	socket := b.socket
	b.socket = b.Dir + "/second.sock"
	b.refused(pid)
	if _, err := os.Stat(b.socket); err == nil {
		t.Error("the second nvad left a socket")
	}
	b.socket, b.ours, b.theirs = socket, b.theirs, b.ours
	b.refused("another nvad answers on " + socket)
	b.ours, b.theirs = b.theirs, b.ours

	first.Kill()
	if _, err := os.Stat(b.socket); err != nil {
		t.Error(err)
	}
	if r := b.ctl("status"); r.code != 1 || !strings.Contains(r.err, "nvad is not running") {
		t.Errorf("nvactl without nvad: %+v", r)
	}
	next := b.start() // takes over the stale socket
	b.tell("status")
	next.Stop()
	if _, err := os.Stat(b.socket); err == nil {
		t.Error("nvad left its socket")
	}
}
