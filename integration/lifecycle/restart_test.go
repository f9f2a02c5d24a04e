package lifecycle

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// plant adds things that other programs might have: a link, an address, routes of protocol bgp
// and others, and a next hop.
func (b *bed) plant() {
	b.Helper()
	for _, args := range []string{
		"link add foreign0 type veth peer name foreign1",
		"link set foreign1 up",
		"addr add 9.0.0.1/24 dev foreign0",
		"link set foreign0 up",
		"route add 203.0.113.0/24 via 10.0.0.1 proto bgp metric 20",
		"route add 198.51.100.0/24 via 9.0.0.2 proto static metric 7",
		"route add blackhole 192.0.2.0/24 proto bgp metric 20",
		"nexthop add id 7 via 9.0.0.2 dev foreign0",
	} {
		b.ip(args)
	}
}

// planted fails the test if something that plant added is gone.
func (b *bed) planted() {
	b.Helper()
	b.must(contains(b.ip("route"),
		"203.0.113.0/24 via 10.0.0.1 dev eth0 proto bgp metric 20",
		"198.51.100.0/24 via 9.0.0.2 dev foreign0 proto static metric 7",
		"blackhole 192.0.2.0/24 proto bgp metric 20"))
	b.must(contains(b.ip("nexthop"), "id 7 via 9.0.0.2 dev foreign0"))
	b.must(contains(b.ip("-br link"), "foreign0"))
}

// TestLeftovers starts nvad where another program has left BGP routes. nvad reports them and
// leaves them alone, unless --adopt takes them over.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.plant()
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.configure(ordinary(open(peer1)))
	n := b.start()
	b.up(peer1)
	b.inSync()
	b.routed("10.100.0.0/16")
	b.planted()
	n.Logs("203.0.113.0/24", "--adopt")
	fib := b.tell("routes fib")
	b.must(contains(fib, "203.0.113.0/24", "192.0.2.0/24", "leftover"))
	n.Stop()

	// A foreign route in the place of one of nvad's gives way.
	f.vtysh("configure terminal", "router bgp 65010", "address-family ipv4 unicast", "network 203.0.113.0/24")
	n = b.start("--adopt")
	b.up(peer1)
	b.inSync()
	b.unrouted("192.0.2.0/24")
	b.routed("203.0.113.0/24", "10.100.0.0/16", "198.51.100.0/24 via 9.0.0.2 dev foreign0 proto static metric 7")
	b.tell("stop --flush")
	n.Ended()
	b.unrouted("203.0.113.0/24")
}

// ownState returns nvad's state in the kernel, with ids. After a restart that adopts the
// state, it must be identical.
func (b *bed) ownState() string {
	b.Helper()
	b.must(contains(b.ip("addr show vxlan0"), "inet 169.254.0.1/24"))
	link := counters.ReplaceAllString(b.ip("-d link show vxlan0"), "")
	routes := slices.Sorted(strings.Lines(b.ip("route show table main")))
	hops := slices.Sorted(strings.Lines(b.ip("nexthop")))
	return link + strings.Join(routes, "") + strings.Join(hops, "")
}

var counters = regexp.MustCompile(`(gso|gro|tso)_\S+ \d+`)

// TestRestart ends nvad with SIGTERM and with SIGKILL. The kernel goes on forwarding, and the
// next nvad takes over the existing state without touching it.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			testRestart(t, how)
		})
	}
}

func testRestart(t *testing.T, how syscall.Signal) {
	b := newBed(t)
	b.plant()
	nets := []string{"10.100.0.0/16", "10.101.0.0/16", "10.102.0.0/16"}
	f := b.frr(peer1, frrOptions{networks: nets, graceful: true})
	b.configure(ordinary(open(peer1)))
	n := b.start()
	b.up(peer1)
	b.inSync()
	b.routed(nets...)
	before := b.ownState()

	m := b.monitor()
	n.Signal(how)
	if code := n.Ended(); how == syscall.SIGTERM && code != 0 {
		t.Errorf("exit code %d", code)
	}
	if after := b.ownState(); after != before {
		t.Errorf("after\n%s\nbefore\n%s", after, before)
	}
	f.knows("10.20.0.0/16", "stale")
	f.vtysh("configure terminal", "router bgp 65010", "address-family ipv4 unicast", "no network 10.102.0.0/16")

	n = b.start()
	b.routed(nets...) // including the withdrawn one: nvad can't know that yet
	b.up(peer1)
	b.inSync()
	b.unrouted("10.102.0.0/16")
	f.Eventually(patience, func() error {
		if text := f.vtysh("show bgp ipv4 unicast 10.20.0.0/16"); strings.Contains(text, "stale") {
			return fmt.Errorf("still stale: %s", text)
		}
		return nil
	})
	m.only("10.102.0.0/16")
	b.planted()
	if left := withoutLine(before, "10.102.0.0/16"); withoutLine(b.ownState(), "10.102.0.0/16") != left {
		t.Errorf("after the restart\n%s\nnot\n%s", b.ownState(), left)
	}
	n.Stop()
}

func withoutLine(text, with string) string {
	var w strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, with) {
			w.WriteString(line)
		}
	}
	return w.String()
}

// monitor records the changes in nvad's namespace.
type monitor struct {
	*bed
	file string
}

func (b *bed) monitor() *monitor {
	b.Helper()
	// On stderr ip complains about namespaces that other tests remove while it looks up all
	// their names.
	m := &monitor{b, b.Spawn(b.ours, "monitor", "sh", "-c", "exec stdbuf -oL ip monitor link route nexthop 2>"+b.Path("monitor.err")).Log}
	// Once the mark appears, the monitor is listening.
	b.Eventually(patience, func() error {
		b.ip("route replace blackhole 192.0.2.255 proto 99")
		b.ip("route del blackhole 192.0.2.255 proto 99")
		time.Sleep(10 * time.Millisecond)
		return contains(b.Read(m.file), "192.0.2.255")
	})
	return m
}

// foreign matches lines that have nothing to do with nvad: the marks, and addresses that the
// kernel adds itself.
var foreign = regexp.MustCompile(`192\.0\.2\.25|table local|foreign[01]|^\s*$`)

// only fails the test if links, routes or next hops have changed since the start of the
// monitor, except in lines that contain text and in foreign lines.
func (m *monitor) only(text string) {
	m.Helper()
	m.ip("route add blackhole 192.0.2.254 proto 99")
	m.Eventually(patience, func() error { return contains(m.Read(m.file), "192.0.2.254") })
	m.ip("route del blackhole 192.0.2.254 proto 99")
	for line := range strings.Lines(m.Read(m.file)) {
		if !strings.Contains(line, text) && !foreign.MatchString(line) {
			m.Errorf("touched: %s", line)
		}
	}
}
