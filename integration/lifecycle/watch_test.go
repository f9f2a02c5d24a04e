package lifecycle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// watcher is a running nvactl watch.
type watcher struct {
	*bed
	nvactl *netbed.Process
	log    string
}

func (b *bed) watch(args ...string) *watcher {
	b.Helper()
	return b.nvactl("watch", args...)
}

// nvactl runs a command that shows changes until nvad ends.
func (b *bed) nvactl(command string, args ...string) *watcher {
	b.Helper()
	argv := append([]string{lab.Build(b.T, "./cmd/nvactl"), "--socket", b.socket, command}, args...)
	p := b.Spawn(b.ours, fmt.Sprintf("watch%d", launches.Add(1)), argv...)
	return &watcher{b, p, p.Log}
}

// sees waits for a line that contains all of want.
func (w *watcher) sees(want ...string) {
	w.Helper()
	w.Eventually(patience, func() error {
		for line := range strings.Lines(w.Read(w.log)) {
			if !slices.ContainsFunc(want, func(s string) bool { return !strings.Contains(line, s) }) {
				return nil
			}
		}
		return fmt.Errorf("no line with %q in\n%s", want, w.Read(w.log))
	})
}

// ended waits until nvactl ends, which must not be an error.
func (w *watcher) ended() {
	w.Helper()
	if code := w.nvactl.Ended(); code != 0 {
		w.Errorf("nvactl watch: exit code %d: %s", code, w.Read(w.log))
	}
}

// TestWatch follows a neighbor and its route through a day. Each change appears with its
// cause, in the RIB and in the kernel.
func TestWatch(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const prefix = "10.100.0.0/16"
	f := b.frr(peer1, frrOptions{networks: []string{"10.99.0.0/16"}})
	b.configure(ordinary(open(peer1), open(peer2)))
	n := b.start()
	b.up(peer1)
	w, only, objects := b.watch(), b.watch("routes", "--prefix", prefix), b.watch("-o", "json")

	f.vtysh("conf t", "router bgp 65010", "address-family ipv4 unicast", "network "+prefix)
	w.sees("route", prefix+" best "+peer1+", AS path 65010")
	w.sees("fib", prefix+" installed via "+peer1+" dev eth0")
	g := b.frr(peer2, frrOptions{networks: []string{prefix}})
	w.sees("neighbor", peer2+" (AS 65010)", " Established")
	f.vtysh("conf t", "router bgp 65010", "address-family ipv4 unicast", "no network "+prefix)
	w.sees("route", prefix+" best "+peer1+" -> "+peer2+": "+peer1+" withdrew it")
	w.sees("fib", prefix+" installed", "via "+peer2+" dev eth0")
	g.vtysh("conf t", "router bgp 65010", "neighbor "+ourAddress+" shutdown message off to the beach")
	w.sees("neighbor", peer2+" (AS 65010) Established -> Idle: NOTIFICATION received: Cease/Administrative Shutdown \"off to the beach\"")
	w.sees("route", prefix+" unreachable, was "+peer2+": "+peer2+" is down")
	w.sees("fib", prefix+" removed via "+peer2+" dev eth0")
	b.ip("link del vxlan0")
	w.sees("tunnel", "vxlan0 repaired: vxlan0 was gone")
	b.ip("route del 10.99.0.0/16 metric 20")
	w.sees("fib", "10.99.0.0/16 installed via "+peer1)
	only.sees(prefix + " unreachable")
	if strings.Contains(only.Read(only.log), "10.99.0.0") || strings.Contains(only.Read(only.log), "neighbor ") {
		t.Errorf("more than requested:\n%s", only.Read(only.log))
	}

	only.nvactl.Signal(syscall.SIGINT)
	only.ended()
	n.Stop()
	w.ended()
	objects.ended()
	b.must(contains(w.Read(w.log), "nvad has ended"))
	for line := range strings.Lines(strings.TrimSuffix(objects.Read(objects.log), "nvactl: nvad has ended\n")) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
	}
}

// TestWatchOperations: each thing that somebody asks of nvad appears with who asked and what
// came of it, refusals included; so do the repairs, the next hops that died and the problems.
func TestWatchOperations(t *testing.T) {
	t.Parallel()
	c := newChange(t)
	const root = " by user root (uid 0)"
	w := c.watch("operations", "daemon", "problems", "next-hops", "repairs")
	refused := func(command, why string) {
		t.Helper()
		if r := c.ctl(strings.Fields(command)...); r.code == 0 {
			t.Errorf("nvactl %s: %+v", command, r)
		}
		w.sees("operation", why)
	}

	c.Eventually(patience, func() error { // until the watch has begun
		c.tell("log-level info")
		return contains(c.Read(w.log), "log-level info"+root)
	})
	if r := c.ctl("drain", "--reason", "upgrade"); r.code != 0 {
		t.Errorf("drain: %+v", r)
	}
	w.sees("operation", "drain"+root+": upgrade")
	c.tell("drain --off")
	w.sees("operation", "undrain"+root)
	c.tell("reset " + peer1 + " --soft in")
	w.sees("operation", "reset "+peer1+root+": soft in")
	c.tell("log-level debug")
	w.sees("operation", "log-level debug"+root)
	refused("reset 10.9.9.9", "reset 10.9.9.9"+root+" failed: neighbor 10.9.9.9 is not configured")
	refused("confirm", "confirm"+root+" failed: no change waits for confirmation")
	c.Write("nvad.toml", "asn = 1\nan = 2\n")
	refused("reload", "reload"+root+" failed: "+c.config+":")
	c.configure(newPolicy())
	c.n.Signal(syscall.SIGHUP)
	w.sees("operation", "reload by signal SIGHUP, version 2 runs: ", "prefix-list in")
	c.tell("rollback --config " + c.config)
	w.sees("operation", "rollback"+root+", version 3 runs: to version 1: ", "prefix-list in")
	c.configure(newPolicy())
	c.tell("reload --confirm 1s")
	w.sees("operation", "reload"+root+", version 4 runs: to be confirmed within 1s: ")
	w.sees("operation", "rollback by deadline, version 5 runs: to version 3: ")

	c.follows(oldSource)
	c.ip("route del 10.100.0.0/16 metric 20")
	w.sees("repair", "route 10.100.0.0/16 put back")
	c.tell("shutdown " + peer1 + " --message beach")
	w.sees("operation", "shutdown "+peer1+root+": beach")
	w.sees("next-hop", peer1+" is dead (session): ")
	w.sees("problem", "began: neighbor "+peer1+" is down: ")
	c.tell("enable " + peer1)
	w.sees("operation", "enable "+peer1+root)
	w.sees("next-hop", peer1+" is alive again (session)")
	w.sees("problem", "over: neighbor "+peer1+" is down: ")
	c.n.Signal(syscall.SIGTERM)
	w.ended()
	w.sees("operation", "stop by signal SIGTERM")
	w.sees("daemon", "nvad is stopping")
}
