package lifecycle

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// warned waits until all of want is among the warnings about nvad itself in nvactl status.
// Without want, it waits until there is no such warning.
func (b *bed) warned(want ...string) {
	b.Helper()
	type warning struct{ Key, Code, Text string }
	b.Eventually(patience, func() error {
		s := ask[struct{ Warnings []warning }](b, "status")
		var own []string
		for _, w := range s.Warnings {
			if w.Key == "nvad" {
				own = append(own, w.Code+": "+w.Text)
			}
		}
		text := strings.Join(own, "\n")
		if (len(own) == 0) != (len(want) == 0) {
			return fmt.Errorf("%d warnings:\n%s", len(own), text)
		}
		return contains(text, want...)
	})
}

// taken listens on an address in nvad's namespace, as another program would.
func (b *bed) taken(at string) net.Listener {
	b.Helper()
	var l net.Listener
	b.must(lab.WithinNamespace(b.NS(b.ours), func() (err error) {
		l, err = net.Listen("tcp4", at)
		return err
	}))
	b.Cleanup(func() { l.Close() })
	return l
}

// fetch gets a URL from within nvad's namespace.
func (b *bed) fetch(url string) string {
	b.Helper()
	r := b.run("curl", "-s", "-m", "5", url)
	return r.out
}

// TestPortsTaken starts nvad where other programs have its ports. nvad routes, reports who has
// them, and takes them over once they are free.
func TestPortsTaken(t *testing.T) {
	t.Parallel()
	lab.RequireCommands(t, "curl")
	b := newBed(t)
	s := ordinary(open(peer1))
	s.rest = fmt.Sprintf("[health]\nlisten = [%q]\n[metrics]\nlisten = [%q]", ourAddress+":8080", ourAddress+":9179")
	b.configure(s)
	others := map[string]net.Listener{}
	for _, port := range []string{"179", "8080", "9179"} {
		others[port] = b.taken(ourAddress + ":" + port)
	}
	n := b.start()
	b.routed("10.0.210.0/24") // the file's static route
	who := fmt.Sprintf(": lifecycle.test (pid %d) of user root has it", os.Getpid())
	b.warned("listen on 0.0.0.0 port 179"+who, "listen on "+ourAddress+":8080"+who, "listen on "+ourAddress+":9179"+who)
	n.Logs("not listening", "HTTP is not served")
	b.frr(peer1, frrOptions{}) // nvad dials
	since := b.up(peer1).Since

	// A reload that does not concern the ports is carried out. One that needs another port
	// that is taken is refused and changes nothing.
	s.daemon = append(s.daemon, `log-level = "debug"`)
	b.configure(s)
	b.tell("reload")
	b.taken(ourAddress + ":8081")
	s.rest = strings.Replace(s.rest, ":8080", ":8081", 1)
	b.configure(s)
	if r := b.ctl("reload"); r.code == 0 || contains(r.err, "listen on "+ourAddress+":8081"+who) != nil {
		t.Errorf("a reload that can't be served: %+v", r)
	}
	if now := b.up(peer1).Since; !now.Equal(since) {
		t.Errorf("the session was replaced: up since %s, before since %s", now, since)
	}

	others["9179"].Close()
	b.Eventually(patience, func() error {
		return contains(b.fetch("http://"+ourAddress+":9179/metrics"), `nvad_degraded{kind="listen"} 2`)
	})
	others["179"].Close()
	others["8080"].Close()
	b.warned()
	b.Eventually(patience, func() error { return contains(b.fetch("http://"+ourAddress+":8080/healthz"), "") })
	n.Stop()
}

// TestBrokenFile restarts nvad with a broken file. The last configuration keeps running, with
// a warning, until the file is repaired.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.configure(ordinary(open(peer1)))
	b.start().Stop()
	b.must(os.WriteFile(b.config, []byte("asn = 65001\nold-key = 3\n"), 0o644))
	for range 2 {
		n := b.start()
		b.routed("10.0.210.0/24")
		n.Logs("configuration can't run", "old-key: unknown key")
		b.warned("configuration: version 1 of the history runs since the start, because nvad can't run the configuration that it should: " + b.config + ":2: old-key: unknown key")
		if r := b.run(lab.Build(t, "./cmd/nvad"), "check", b.config); r.code != 1 {
			t.Errorf("nvad check: exit code %d", r.code)
		}
		if r := b.ctl("reload"); r.code == 0 {
			t.Error("a broken file was reloaded")
		}
		n.Stop()
	}
	b.must(os.Remove(b.config))
	b.start()
	b.warned("no such file or directory")
	b.configure(ordinary(open(peer1)))
	b.tell("reload")
	b.warned()
}

// TestRuinedHistory has a history that this nvad can't read, as after an upgrade that renames
// a key. Neither a pending change nor a rollback in it keeps nvad from using the file.
func TestRuinedHistory(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.configure(ordinary(open(peer1)))
	n := b.start()
	second := ordinary(open(peer1), open(peer2))
	b.configure(second)
	b.tell("reload --confirm 10m")
	n.Stop()
	ruin := func() {
		texts, err := filepath.Glob(filepath.Dir(b.socket) + "/history/*.toml")
		if err != nil || len(texts) == 0 {
			t.Fatalf("no history: %v", err)
		}
		for _, path := range texts {
			b.must(os.WriteFile(path, []byte("old-key = 1\n"), 0o600))
		}
	}
	ruin()
	n = b.start()
	b.warned("because nvad can't run the configuration that it should")
	b.must(contains(b.tell("status"), "Unconfirmed"))
	b.neighbor(peer2)
	b.tell("confirm")
	n.Stop()

	n = b.start() // nvad runs the file, and records it again
	b.warned()
	b.configure(ordinary(open(peer2)))
	b.tell("reload")
	if r := b.ctl("rollback"); r.code != 0 {
		t.Errorf("rollback: %+v", r)
	}
	n.Stop()
	ruin()
	b.start()
	b.warned("because nvad can't run the configuration that it should")
	b.neighbor(peer2)
}

// TestStartWaits starts nvad without the NIC that its router ID is derived from. nvad waits as
// long as necessary, and reports from the beginning what it waits for.
func TestStartWaits(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.ip("link del eth0")
	s := ordinary(open(peer1))
	s.global = []string{"asn = 65001"}
	b.configure(s)
	n := b.launch(nil)
	b.Eventually(patience, func() error { _, err := os.Stat(b.socket); return err })
	const waits = "still starting: waiting for an address to derive the router ID from (eth0 has no IPv4 address), for "
	b.warned("starting: " + waits)
	b.must(contains(b.tell("status"), "0 of 1 established"))
	began := time.Now()
	for _, command := range []string{"neighbors", "routes", "watch", "reload", "config show", "tunnels"} {
		if r := b.ctl(strings.Fields(command)...); r.code == 0 || contains(r.err, "nvad is still starting: waiting for") != nil {
			t.Errorf("nvactl %s: %+v", command, r)
		}
	}
	if took := time.Since(began); took > patience {
		t.Errorf("six answers took %s", took)
	}
	b.connect()
	n.Logs("router ID derived", "msg=ready")
	b.warned()
	b.must(contains(b.tell("neighbors"), peer1))
	n.Stop()

	b.ip("addr flush dev eth0")
	n = b.launch(nil)
	n.Logs("waiting for an address to derive the router ID from")
	b.tell("stop --flush")
	if code := n.Ended(); code != 0 {
		t.Errorf("exit code %d after a stop during the start", code)
	}
}

// TestReadOnly starts nvad where nothing can be written. nvad routes, and can be reached with
// nvactl once its directories can be written.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	lab.RequireCommands(t, "mount", "umount", "nsenter")
	b := newBed(t)
	dir := filepath.Dir(b.socket)
	b.Sh("mount -t tmpfs -o mode=0755,size=64k nvlc %s", dir)
	t.Cleanup(func() { b.Sh("umount -l %s", dir) })
	// The journal has tests of its own on such disks; here it would take all of the room.
	quiet := func(neighbors ...neighborSettings) settings {
		s := ordinary(neighbors...)
		s.global = []string{"asn = 65001", fmt.Sprintf("router-id = %q", ourAddress), "journal.size = 0"}
		return s
	}
	b.configure(quiet(open(peer1)))
	b.Sh("mount -o remount,ro %s", dir)
	n := b.launch(nil)
	b.routed("10.0.210.0/24")
	n.Logs("msg=ready", "api not served", "configuration not kept", "read-only file system")
	b.Sh("mount -o remount,rw %s", dir)
	b.Sh("nsenter -m -t %d mount -o remount,rw %s", n.Cmd.Process.Pid, dir) // ip netns exec has given nvad its own mounts
	b.Eventually(patience, func() error { _, err := os.Stat(b.socket); return err })
	b.warned("history: the configurations of this run are not on disk")

	// The next change brings the history up to date, even if nothing differs.
	b.tell("reload")
	b.warned()
	b.must(contains(b.tell("config history"), "start"))

	// A full disk makes neither a reload nor a restart fail. Once there is room, another
	// reload repairs what is on the disk.
	filler := dir + "/filler"
	fill := func() {
		r := b.run("sh", "-c", "cat /dev/zero > "+filler)
		b.must(contains(r.err, "No space left"))
	}
	fill()
	b.configure(quiet(open(peer1), open(peer2)))
	b.tell("reload")
	b.warned("history: the configurations of this run are not on disk")
	b.must(os.Remove(filler))
	b.tell("reload")
	b.warned()
	fill()
	n.Stop()
	n = b.start()
	b.neighbor(peer2)
	n.Stop()
}
