package service

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestService takes the package through its life on one machine.
func TestService(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for _, step := range []struct {
		name string
		do   func(*bed)
	}{
		{"install", (*bed).testInstall},
		{"first start", (*bed).testStart},
		{"exposure", (*bed).testExposure},
		{"limits", (*bed).testLimits},
		{"access", (*bed).testAccess},
		{"polls of Azure", (*bed).testAzure},
		{"sysctls are healed", (*bed).testSysctl},
		{"upgrade", (*bed).testUpgrade},
		{"reload", (*bed).testReload},
		{"bad file at the start", (*bed).testBadFile},
		{"watchdog", (*bed).testWatchdog},
		{"remove", (*bed).testRemove},
		{"purge", (*bed).testPurge},
	} {
		ok := t.Run(step.name, func(t *testing.T) {
			inner := *b
			inner.T = t
			step.do(&inner)
		})
		if !ok {
			t.FailNow() // each step starts where the one before has ended
		}
	}
}

// testInstall: without a configuration, nothing runs, nothing has failed, and the machine is
// as before.
func (b *bed) testInstall() {
	before, host := b.everything(), b.host()
	if err := errors.Join(b.Write("/root/before", before), b.Write("/root/host", host)); err != nil {
		b.Fatal(err)
	}
	b.install("1.0.0")
	if got := b.Sh(b.T, "systemctl is-active nvad || true; systemctl is-enabled nvad; systemctl is-system-running"); got != "inactive\nenabled\nrunning\n" {
		b.Errorf("after installation: %q", got)
	}
	b.Sh(b.T, "systemctl start nvad")
	b.same("installation", host)
	if got := b.Sh(b.T, "nvactl status 2>&1 || true"); !strings.Contains(got, `there is no /etc/nvad/nvad.toml yet, in Azure "sudo nvad bootstrap" writes it`) {
		b.Errorf("nvactl: %s", got)
	}
	b.Sh(b.T, "echo 'asn = no' >/etc/nvad/nvad.toml; ! systemctl start nvad; systemctl reset-failed nvad; rm /etc/nvad/nvad.toml")
	b.same("a start with a bad file", host)
	b.Sh(b.T, "journalctl -q -n 1 -u nvad -p warning --cursor-file=/root/cursor >/dev/null") // later entries belong to testStart
	if got := b.Sh(b.T, "stat -c '%A %U:%G' /etc/nvad; getent group nvad nvad-view nvad-admin | wc -l"); got != "drwxr-s--- root:nvad\n3\n" {
		b.Errorf("owners: %q", got)
	}
}

// host returns the state of the machine, apart from nvad itself, that the first start changes:
// settings, the run of systemd-networkd, and the configuration of networkd and sysctl(8).
func (b *bed) host() string {
	b.Helper()
	return b.settings() + b.Sh(b.T, "systemctl show -P InvocationID systemd-networkd; ls /etc/sysctl.d /etc/systemd 2>&1")
}

// settings returns the sysctls that nvad or its package may set, except those of tunnels.
func (b *bed) settings() string {
	b.Helper()
	return b.Sh(b.T, "cd /proc/sys/net; grep . ipv4/ip_forward ipv6/conf/all/forwarding ipv4/conf/*/rp_filter ipv4/conf/*/send_redirects | grep -v vxlan0")
}

// same fails the test unless the machine is still as it was.
func (b *bed) same(after, host string) {
	b.Helper()
	if got := b.host(); got != host {
		b.Errorf("after %s the machine has\n%s\nnot\n%s", after, got, host)
	}
}

// testStart: everything that nvad does works with the privileges that the unit leaves it.
func (b *bed) testStart() {
	b.configure("")
	const networkd = "systemctl show -P InvocationID systemd-networkd"
	before := b.Sh(b.T, networkd)
	b.Exec(b.T, "systemctl", "start", "nvad")
	b.converged()
	b.prepared()
	restarted := b.Sh(b.T, networkd)
	if restarted == before {
		b.Error("systemd-networkd has not read the drop-in that makes it leave routes alone")
	}
	b.Exec(b.T, "systemctl", "restart", "nvad")
	b.converged()
	if got := b.Sh(b.T, networkd); got != restarted {
		b.Error("the second start restarted systemd-networkd too")
	}
	status := b.Sh(b.T, "grep -E '^(Cap(Eff|Bnd|Amb)|Uid)' /proc/"+b.pid()+"/status; id -u nvad")
	for _, set := range []string{"CapEff", "CapBnd", "CapAmb"} {
		if !strings.Contains(status, set+":\t0000000000001400\n") { // NET_ADMIN and NET_BIND_SERVICE
			b.Errorf("capabilities:\n%s", status)
		}
	}
	if strings.Contains(status, "Uid:\t0\t") {
		b.Errorf("nvad runs as root:\n%s", status)
	}
	if got := b.Sh(b.T, "ip -br addr show vxlan0; nft list ruleset; ip route show proto nvad-static"); !strings.Contains(got, "169.254.0.1/24") ||
		!strings.Contains(got, "10.9.0.0/16") || !strings.Contains(got, "10.0.210.0/24") {
		b.Errorf("kernel: %s", got)
	}
	if v := b.neighborView(); !strings.Contains(v, "BGP state = Established") {
		b.Errorf("FRR: %s", v)
	}
	lab.Eventually(b.T, patience, func() error { // the watchdog is notified every other second
		if got, err := b.Output(b.Context(), "systemctl", "show", "-P", "StatusText", "nvad"); err != nil || !strings.Contains(got, "1 of 1 neighbors established") {
			return fmt.Errorf("status %q: %w", got, err)
		}
		return nil
	})
	for line := range strings.Lines(b.Exec(b.T, "journalctl", "--no-pager", "--cursor-file=/root/cursor", "-u", "nvad", "-p", "warning", "-o", "cat")) {
		b.Errorf("logged: %s", line)
	}
}

func (b *bed) testExposure() {
	for unit, threshold := range map[string]string{"nvad.service": "16", "nvad-azure.service": "13"} {
		path := "/lib/systemd/system/" + unit
		b.Log(b.Sh(b.T, "systemd-analyze security --no-pager --offline=true --threshold="+threshold+" "+path+" | tail -1"))
		b.Exec(b.T, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold="+threshold, path)
		b.Exec(b.T, "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path)
	}
	b.Exec(b.T, "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "/lib/systemd/system/nvad-azure.timer")
}

// testLimits reads the limits that the kernel applies to the process, rather than those in the
// unit.
func (b *bed) testLimits() {
	pid := b.pid()
	for what, c := range map[string]struct{ command, want string }{
		"nice values of its threads": {"ps -L -o ni= -p " + pid + " | sort -u | tr -d ' '", "-10\n"},
		"size of a core":             {"awk '/^Max core/ {print $5, $6}' /proc/" + pid + "/limits", "0 0\n"},
		// A container may not set it, and systemd accepts that.
		"OOM score":  {"systemctl show -P OOMScoreAdjust nvad", "-900\n"},
		"OOM policy": {"systemctl show -P OOMPolicy nvad", "continue\n"},
		"threads":    {"systemctl show -P TasksMax nvad", "256\n"},
		"swap":       {"systemctl show -P MemorySwapMax nvad", "0\n"},
	} {
		if got := b.Sh(b.T, c.command); got != c.want {
			b.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	for _, dir := range []string{"/run/nvad", "/var/lib/nvad", "/tmp", "/var/tmp", "/dev/shm"} {
		program := "/proc/" + pid + "/root" + dir + "/planted"
		if got := b.Sh(b.T, "cp /bin/true "+program+"; "+program+" 2>&1 || true; rm "+program); !strings.Contains(got, "Permission denied") {
			b.Errorf("a program in %s runs: %s", dir, got)
		}
	}
	if got := b.Sh(b.T, "/proc/"+pid+"/root/bin/true 2>&1 || true; /proc/"+pid+"/root/usr/bin/nvad version"); !strings.HasPrefix(got, "sh: 1: ") ||
		!strings.Contains(got, "Permission denied") || !strings.Contains(got, "v1.0.0") {
		b.Errorf("programs of the system: %s", got)
	}
	memory := b.Sh(b.T, "systemctl show -P MemoryMax nvad; awk '$1 == \"MemTotal:\" {print $2 * 1024}' /proc/meminfo")
	var most, total float64
	if _, err := fmt.Sscan(memory, &most, &total); err != nil || most < 0.70*total || most > 0.80*total {
		b.Errorf("memory: at most %v of %v: %v (%q)", most, total, err, memory)
	}
}

// testAccess: members of nvad-view can look but read no key, members of nvad-admin can make
// changes, and nobody else can do either.
func (b *bed) testAccess() {
	b.Sh(b.T, "useradd -G nvad-view reader; useradd -G nvad-view,nvad-admin admin; useradd stranger")
	for _, user := range []string{"reader", "admin", "stranger"} {
		for _, file := range []string{"/etc/nvad/nvad.toml", "/etc/nvad/far.key", "/var/lib/nvad/history/1.toml"} {
			if out := b.Sh(b.T, "test -e "+file+"; runuser -u "+user+" -- cat "+file+" 2>&1 || true"); !strings.Contains(out, "Permission denied") {
				b.Errorf("%s reads %s: %s", user, file, out)
			}
		}
	}
	b.socketGroups()
	for _, c := range []struct{ user, command, want string }{
		{"reader", "neighbors", "10.0.0.1"},
		{"reader", "reset 10.0.0.1 --soft in", "group nvad-admin (you are reader)"},
		{"admin", "reset 10.0.0.1 --soft in", ""},
		{"stranger", "neighbors", "no permission"},
	} {
		out := b.Sh(b.T, "runuser -u "+c.user+" -- nvactl "+c.command+" 2>&1 || true")
		if !strings.Contains(out, c.want) {
			b.Errorf("%s: nvactl %s: %s", c.user, c.command, out)
		}
	}
}

// socketGroups: the socket belongs to nvad-view, or to another group that the configuration or
// a changed tmpfiles.d names, although the service can't change the owner of files.
func (b *bed) socketGroups() {
	b.Helper()
	group := func(want, change, back string) {
		b.Helper()
		b.Sh(b.T, change+"; systemctl restart nvad")
		if got := b.Exec(b.T, "stat", "-c", "%A %U:%G", "/run/nvad/nvad.sock"); got != "srw-rw---- nvad:"+want+"\n" {
			b.Errorf("the socket is %q, want group %s", got, want)
		}
		b.Sh(b.T, back)
	}
	group("nvad", `cp -p /etc/nvad/nvad.toml /root/plain; printf '[daemon]\nsocket-group = "nvad"\n' >>/etc/nvad/nvad.toml`,
		"cp -p /root/plain /etc/nvad/nvad.toml")
	group("staff", "sed 's/nvad-view/staff/' /usr/lib/tmpfiles.d/nvad.conf >/etc/tmpfiles.d/nvad.conf", "rm /etc/tmpfiles.d/nvad.conf")
	group("nvad-view", "true", "true")
	b.converged()
}

// testSysctl: the service may write the network's settings, and no others.
func (b *bed) testSysctl() {
	b.Exec(b.T, "sysctl", "-q", "net.ipv4.ip_forward=0")
	lab.Eventually(b.T, patience, func() error {
		if got, err := b.Output(b.Context(), "sysctl", "-n", "net.ipv4.ip_forward"); err != nil || got != "1\n" {
			return fmt.Errorf("ip_forward is %q: %w", got, err)
		}
		return nil
	})
}

// testUpgrade: not one packet is lost, and the kernel is the same afterwards. Users who could
// look at nvad before its groups existed still can, and can no longer read keys.
func (b *bed) testUpgrade() {
	b.Sh(b.T, "gpasswd -d reader nvad-view; gpasswd -d admin nvad-view; groupdel nvad-view; usermod -aG nvad reader; usermod -aG nvad admin; chgrp nvad /run/nvad /run/nvad/nvad.sock")
	before, pid := b.forwarding(), b.pid()
	r := b.watched(func() {
		b.install("1.1.0")
		b.converged()
	})
	b.lossless("upgrade", r)
	if after := b.forwarding(); after != before {
		b.Errorf("forwarding changed from\n%s\nto\n%s", before, after)
	}
	if now := b.pid(); now == pid {
		b.Error("the old nvad still runs")
	}
	if got := b.Exec(b.T, "nvactl", "version"); strings.Count(got, "v1.1.0") != 2 {
		b.Errorf("version: %s", got)
	}
	if v := b.neighborView(); !strings.Contains(v, "BGP state = Established") {
		b.Errorf("FRR: %s", v)
	}
	if got := b.Sh(b.T, "id -Gn reader; id -Gn admin; runuser -u reader -- nvactl neighbors"); !strings.HasPrefix(got, "reader nvad-view\nadmin nvad-admin nvad-view\n") ||
		!strings.Contains(got, "10.0.0.1") {
		b.Errorf("a user who could look before: %s", got)
	}
}

// testReload: systemctl reload reports what is wrong with a bad file.
func (b *bed) testReload() {
	pid := b.pid()
	b.Sh(b.T, "sed -i 's/10.0.210.0.24/10.0.211.0\\/24/' /etc/nvad/nvad.toml; systemctl reload nvad")
	if got := b.Exec(b.T, "ip", "route", "show", "10.0.211.0/24"); !strings.Contains(got, "via 10.0.0.1") {
		b.Errorf("after the reload: %q", got)
	}
	b.Sh(b.T, "cp -p /etc/nvad/nvad.toml /root/good; echo 'hold-tme = 9' >>/etc/nvad/nvad.toml; ! systemctl reload nvad")
	log := b.Exec(b.T, "journalctl", "--no-pager", "-u", "nvad", "-n", "20", "-o", "cat")
	if !strings.Contains(log, "hold-tme") || b.pid() != pid {
		b.Errorf("pid %s, now %s, log:\n%s", pid, b.pid(), log)
	}
}

// testBadFile: a restart with a bad file runs the newest text that can run, and reports that
// until the file is repaired. If there is no such text, as right after the installation,
// systemd does not start nvad again and again.
func (b *bed) testBadFile() {
	before := b.forwarding()
	b.Sh(b.T, "systemctl restart nvad")
	b.converged()
	if got := b.Exec(b.T, "systemctl", "show", "-P", "NRestarts", "-P", "ActiveState", "nvad"); got != "0\nactive\n" {
		b.Errorf("state: %q", got)
	}
	if after := b.forwarding(); after != before {
		b.Errorf("forwarding changed from\n%s\nto\n%s", before, after)
	}
	if got := b.Exec(b.T, "nvactl", "status"); !strings.Contains(got, "hold-tme") {
		b.Errorf("the status does not say what is wrong with the file:\n%s", got)
	}
	b.Sh(b.T, "cp -p /root/good /etc/nvad/nvad.toml; systemctl reload nvad")
	if got := b.Exec(b.T, "nvactl", "status"); strings.Contains(got, "hold-tme") {
		b.Errorf("the status still complains about a file that was repaired:\n%s", got)
	}
}

// testWatchdog stops the process with a signal, so that its engine does not answer. systemd
// kills it and starts another one; the kernel forwards meanwhile.
func (b *bed) testWatchdog() {
	b.Put(b.T, "/run-watchdog.conf", "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n")
	b.Sh(b.T, "install -D -m 644 /run-watchdog.conf /etc/systemd/system/nvad.service.d/watchdog.conf; rm /run-watchdog.conf; systemctl daemon-reload; systemctl restart nvad")
	b.converged()
	before, pid := b.forwarding(), b.pid()
	r := b.watched(func() {
		b.Sh(b.T, "kill -STOP "+pid)
		lab.Eventually(b.T, patience, func() error {
			if now := b.pid(); now == pid || now == "0" {
				return fmt.Errorf("the main process is %s, was %s", now, pid)
			}
			return nil
		})
		b.converged()
	})
	b.lossless("watchdog", r)
	if after := b.forwarding(); after != before {
		b.Errorf("forwarding changed from\n%s\nto\n%s", before, after)
	}
	if log := b.Exec(b.T, "journalctl", "--no-pager", "-u", "nvad"); !strings.Contains(log, "Watchdog timeout") {
		b.Errorf("log:\n%s", log)
	}
}

// prepared: the first start has set what a router needs, for the next boot too.
func (b *bed) prepared() {
	b.Helper()
	for name, want := range map[string]string{
		"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "2", "net.ipv4.conf.eth0.send_redirects": "0",
		"net.ipv4.conf.all.send_redirects": "0", "net.ipv4.conf.default.send_redirects": "0",
	} {
		if got := strings.TrimSpace(b.Exec(b.T, "sysctl", "-n", name)); got != want {
			b.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	b.Sh(b.T, "cmp /etc/sysctl.d/60-nvad.conf /usr/share/nvad/sysctl.conf; cmp /etc/systemd/networkd.conf.d/nvad.conf /usr/share/nvad/networkd.conf")
}

// testRemove: the kernel and its settings are as they were without nvad. The configuration
// stays.
func (b *bed) testRemove() {
	b.Sh(b.T, "rm -r /etc/systemd/system/nvad.service.d")
	b.Log(b.Sh(b.T, "dpkg -r nvad 2>&1"))
	b.bare()
	b.Exec(b.T, "test", "-f", "/etc/nvad/nvad.toml")
}

// bare: nothing of nvad's is in the kernel, and the settings are as before.
func (b *bed) bare() {
	b.Helper()
	if got := b.forwarding(); strings.Contains(got, "10.100.") || strings.Contains(got, "10.0.211.0") {
		b.Errorf("routes are left:\n%s", got)
	}
	if got := b.Sh(b.T, "ip -br link; ip nexthop; ip rule show proto 201; nft list ruleset; systemctl --failed --no-legend; ls /run/nvad 2>&1 || true"); strings.Contains(got, "vxlan0") ||
		strings.Contains(got, "table") || strings.Contains(got, "nvad.service") || strings.Contains(got, "id 186") || !strings.Contains(got, "No such file") {
		b.Errorf("left: %s", got)
	}
	if got, want := b.settings(), b.Exec(b.T, "cat", "/root/host"); !strings.HasPrefix(want, got) {
		b.Errorf("settings:\n%s\nbefore:\n%s", got, want)
	}
}

// testPurge: no file, no user and nothing in the kernel is left. nvad was stopped before, so
// it had left everything in the kernel, and it is not running to clean up.
func (b *bed) testPurge() {
	b.install("1.1.0")
	b.Exec(b.T, "systemctl", "start", "nvad")
	b.converged()
	b.prepared()
	b.Exec(b.T, "systemctl", "stop", "nvad")
	if got := b.forwarding(); !strings.Contains(got, "10.100.7.0/24") || !strings.Contains(got, "vxlan0") {
		b.Errorf("a stop leaves\n%s", got)
	}
	out := b.Sh(b.T, "dpkg -P nvad 2>&1; userdel reader; userdel admin; userdel stranger; systemctl reset-failed")
	if !strings.Contains(out, "tunnel vxlan0") || !strings.Contains(out, "restored net.ipv6.conf.all.forwarding = 0") {
		b.Errorf("purge says\n%s", out)
	}
	b.bare()
	want := b.Exec(b.T, "cat", "/root/before")
	if got := b.everything(); got != want {
		b.Errorf("before:\n%s\nafter:\n%s", want, got)
	}
}

// everything lists what may still mention nvad on the machine: names of files, files in /etc
// (users and groups among them), and packages.
func (b *bed) everything() string {
	b.Helper()
	return b.Sh(b.T, "find / -xdev -iname '*nvad*' -not -path '/root/*' -not -path '/proc/*' -not -path '/sys/*' | sort; grep -rl nvad /etc || true; dpkg -l | grep nvad || true")
}

// forwarding returns the machine's links and IPv4 routes, without the numbers of next-hop
// objects.
func (b *bed) forwarding() string {
	b.Helper()
	return b.Sh(b.T, "ip -4 route show table all | sed 's/nhid [0-9]* //; s/ *$//' | sort; ip -br link | sed 's/@[^ ]*//'")
}
