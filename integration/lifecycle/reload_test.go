package lifecycle

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestReloadBad reloads invalid files: the running configuration stays.
func TestReloadBad(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	good := ordinary(open(peer1))
	b.configure(good)
	n := b.start()
	b.up(peer1)
	b.routed("10.100.0.0/16")
	before := b.ownState()
	m := b.monitor()

	bad := ordinary(open(peer1, "hold-tme = 9"), open("10.0.0.300"))
	b.configure(bad)
	check := b.run(lab.Build(t, "./cmd/nvad"), "check", b.config)
	for _, args := range [][]string{{"reload"}, {"reload", "--dry-run"}} {
		r := b.ctl(args...)
		if r.code != 1 || r.out != "" || r.err != check.err {
			t.Errorf("nvactl %s: exit code %d, stdout %q, stderr\n%snvad check:\n%s", args, r.code, r.out, r.err, check.err)
		}
	}
	n.Signal(syscall.SIGHUP)
	n.Logs("reload refused", "hold-tme", "10.0.0.300")
	if n := strings.Count(b.Read(n.Log), "reload refused"); n != 2 {
		t.Errorf("%d log lines for two errors", n)
	}

	for want, global := range map[string][]string{
		"asn: 65001 -> 65009":                                {"asn = 65009", `router-id = "10.0.0.4"`},
		`router-id: "10.0.0.4" -> "10.0.0.5"`:                {"asn = 65001", `router-id = "10.0.0.5"`},
		`socket: "/run/nvad/nvad.sock" -> "/run/other.sock"`: {"asn = 65001", `router-id = "10.0.0.4"`, "[daemon]", `socket = "/run/other.sock"`},
	} {
		s := good
		s.global = global
		b.configure(s)
		r := b.ctl("reload")
		if r.code != 1 || strings.Count(r.err, "\n") != 1 {
			t.Errorf("exit code %d: %s", r.code, r.err)
		}
		b.must(contains(r.err, want, "restart"))
		dry := b.ctl("reload", "--dry-run")
		b.must(contains(dry.out, "restart"))
		if dry.code != 1 || dry.err != r.err {
			t.Errorf("--dry-run: exit code %d: %s, a reload says %s", dry.code, dry.err, r.err)
		}
	}
	m.only("none of it")
	if after := b.ownState(); after != before {
		t.Errorf("changed from\n%s\nto\n%s", before, after)
	}
	if v := f.view(); v.Established != 1 || v.State != "Established" {
		t.Errorf("FRR: %+v", v)
	}
}

// TestReloadUnchanged reloads the same file: nothing changes.
func TestReloadUnchanged(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.configure(ordinary(open(peer1)))
	n := b.start()
	b.up(peer1)
	b.routed("10.100.0.0/16")
	f.knows("10.20.0.0/16")
	b.inSync()
	before := f.view()
	m := b.monitor()
	if out := b.tell("reload"); out != "Nothing changed.\n" {
		t.Errorf("nvactl reload: %s", out)
	}
	n.Signal(syscall.SIGHUP)
	b.Eventually(patience, func() error {
		if strings.Count(b.Read(n.Log), "configuration reloaded") < 2 {
			return fmt.Errorf("not reloaded")
		}
		return nil
	})
	m.only("none of it")
	if after := f.view(); after != before {
		t.Errorf("FRR's session was %+v, is %+v", before, after)
	}
}

// TestReloadSession changes one neighbor: the other one keeps its session.
func TestReloadSession(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	one, two := b.frr(peer1, frrOptions{}), b.frr(peer2, frrOptions{})
	b.configure(ordinary(open(peer1), open(peer2)))
	n := b.start()
	b.up(peer1)
	since := b.up(peer2).Since
	one.knows("10.20.0.0/16")
	two.knows("10.20.0.0/16")
	before := two.view()

	b.configure(ordinary(open(peer1, "hold-time = 6"), open(peer2)))
	dry := b.tell("reload --dry-run")
	b.must(contains(dry, "session reset", "neighbor 10.0.0.1", "hold-time"))
	if v := one.view(); v.Established != 1 || v.State != "Established" {
		t.Errorf("--dry-run reset the session: %+v", v)
	}
	if out := b.tell("reload"); out != dry {
		t.Errorf("reload says\n%s--dry-run said\n%s", out, dry)
	}
	b.Eventually(patience, func() error {
		if v := one.view(); v.Established != 2 || v.State != "Established" {
			return fmt.Errorf("FRR: %+v", v)
		}
		return nil
	})
	b.must(contains(b.Read(n.Log), "NOTIFICATION sent: Cease/Other Configuration Change"))
	b.must(contains(b.tell("neighbors "+peer1), "hold 6 s"))
	if other := b.neighbor(peer2); !other.Since.Equal(since) || other.Flaps != 0 {
		t.Errorf("the other session: %+v", other)
	}
	if after := two.view(); after.Established != 1 || after.Messages.UpdatesReceived != before.Messages.UpdatesReceived {
		t.Errorf("the other session was %+v, is %+v", before, after)
	}
}

// TestReloadPolicy changes lists and route-maps: each route is advertised again with one
// UPDATE, and the session stays.
func TestReloadPolicy(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16", "10.101.0.0/16"}})
	s := ordinary(neighborSettings{peer1, []string{
		`import = { prefix-list = "in" }`, `export = { prefix-list = "out", route-map = "map" }`,
	}})
	s.networks = append(s.networks, "10.21.0.0/16")
	lists := func(in, out string, med int) string {
		return fmt.Sprintf("[prefix-list]\nin = [%q, \"permit any\"]\nout = [%q, \"permit any\"]\n"+
			"[[route-map.map]]\naction = \"permit\"\nset = { med = %d }\n", in, out, med)
	}
	s.rest = lists("deny 1.0.0.0/8", "deny 1.0.0.0/8", 10)
	b.configure(s)
	b.start()
	b.up(peer1)
	b.routed("10.100.0.0/16", "10.101.0.0/16")
	f.knows("10.20.0.0/16", "metric 10")
	f.knows("10.21.0.0/16", "metric 10")
	sent := func() int { return f.view().Messages.UpdatesReceived }

	before := sent()
	s.rest = lists("deny 1.0.0.0/8", "deny 1.0.0.0/8", 20)
	b.configure(s)
	b.must(contains(b.tell("reload"), "soft refresh"))
	f.knows("10.20.0.0/16", "metric 20")
	f.knows("10.21.0.0/16", "metric 20")
	if n := sent() - before; n != 1 {
		t.Errorf("%d UPDATEs for one new MED of two prefixes", n)
	}

	before = sent()
	s.rest = lists("deny 10.101.0.0/16", "deny 10.21.0.0/16", 20)
	b.configure(s)
	b.tell("reload")
	f.misses("10.21.0.0/16")
	b.unrouted("10.101.0.0/16")
	b.routed("10.100.0.0/16")
	if n := sent() - before; n != 1 {
		t.Errorf("%d UPDATEs for one withdrawal", n)
	}
	b.must(contains(b.tell("routes rejected "+peer1), "prefix-list in seq 5 deny 10.101.0.0/16"))

	s.rest = lists("deny 1.0.0.0/8", "deny 1.0.0.0/8", 20)
	b.configure(s)
	b.tell("reload")
	f.knows("10.21.0.0/16")
	b.routed("10.101.0.0/16") // although FRR did not send it again
	if v := f.view(); v.Established != 1 {
		t.Errorf("the session was reset: %+v", v)
	}
}

// TestReloadObjects adds and removes a neighbor, a tunnel, a static route and a
// network.
func TestReloadObjects(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	one, two := b.frr(peer1, frrOptions{}), b.frr(peer2, frrOptions{networks: []string{"10.100.0.0/16"}})
	small := settings{neighbors: []neighborSettings{open(peer1)}}
	b.configure(small)
	b.start()
	b.up(peer1)

	b.configure(ordinary(open(peer1), open(peer2)))
	out := b.tell("reload")
	b.must(contains(out, "tunnel vxlan0", "static-route 10.0.210.0/24", "network 10.20.0.0/16", "neighbor 10.0.0.2", "added"))
	b.up(peer2)
	b.routed("10.0.210.0/24 nhid", "10.100.0.0/16", "169.254.0.0/24 dev vxlan0")
	one.knows("10.20.0.0/16")

	b.configure(small)
	b.must(contains(b.tell("reload"), "removed"))
	for _, gone := range []string{"10.0.210.0/24", "10.100.0.0/16", "vxlan0"} {
		b.unrouted(gone)
	}
	one.misses("10.20.0.0/16")
	b.Eventually(patience, func() error { return contains(two.view().Reason, "Cease/Peer De-configured") })
	if links := b.ip("-br link"); strings.Contains(links, "vxlan0") {
		t.Errorf("the tunnel is still there: %s", links)
	}
	if v := one.view(); v.Established != 1 {
		t.Errorf("the session was reset: %+v", v)
	}
}

// TestPassword changes the TCP-MD5 key of a running session, and then reads it from a file.
func TestPassword(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	f := b.frr(peer1, frrOptions{password: "rosebud"})
	b.configure(ordinary(open(peer1, `password = "rosebud"`)))
	n := b.start()
	b.up(peer1)

	b.configure(ordinary(open(peer1, `password = "xanadu"`)))
	out := b.tell("reload")
	b.must(contains(out, "password: changed", "session reset"))
	f.vtysh("configure terminal", "router bgp 65010", "neighbor "+ourAddress+" password xanadu")
	b.established(f, 2)

	b.Write("key", "kane\n")
	b.configure(ordinary(open(peer1, fmt.Sprintf("password-file = %q", b.Dir+"/key"))))
	out += b.tell("reload")
	f.vtysh("configure terminal", "router bgp 65010", "neighbor "+ourAddress+" password kane")
	b.established(f, 3)
	shown := out + b.tell("config show") + b.tell("config show -o json") + b.Read(n.Log)
	for _, secret := range []string{"rosebud", "xanadu", "kane"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown in:\n%s", secret, shown)
		}
	}
}

// TestPasswordMismatch gives nvad and FRR different TCP-MD5 keys, or a key to only one of
// them. The kernels drop the packets silently, and nvad reports the mismatch all the same.
func TestPasswordMismatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ ours, theirs string }{
		"different": {`password = "rosebud"`, "xanadu"}, "ours only": {`password = "rosebud"`, ""}, "theirs only": {"", "xanadu"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			f := b.frr(peer1, frrOptions{password: c.theirs, dials: true})
			b.configure(ordinary(open(peer1, c.ours)))
			b.start()
			b.Eventually(2*patience, func() error {
				return contains(b.neighbor(peer1).Reason, "timed out (TCP-MD5 failures are counted: check the password)")
			})
			if c.theirs == "" || c.ours == "" {
				return
			}
			f.vtysh("configure terminal", "router bgp 65010", "neighbor "+ourAddress+" password rosebud")
			b.up(peer1)
		})
	}
}

// established waits until FRR has had at least n sessions and the latest is up.
func (b *bed) established(f *frr, n int) {
	b.Helper()
	b.Eventually(patience, func() error {
		if v := f.view(); v.Established < n || v.State != "Established" {
			return fmt.Errorf("not in session %d: %+v", n, v)
		}
		return nil
	})
}
