package lifecycle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestFlush ends nvad in each of the two ways that leave nothing of nvad behind.
func TestFlush(t *testing.T) {
	t.Parallel()
	const message = "moved to vm-hub01 at 14:00"
	for name, c := range map[string]struct {
		daemon []string
		end    func(n *nvad)
		says   string
	}{
		"stop --flush": {end: func(n *nvad) {
			r := n.ctl("stop", "--flush", "--message", message)
			if r.code != 0 || r.out != "nvad has ended\n" {
				n.Errorf("nvactl: %+v", r)
			}
		}, says: message},
		"preserve-fib=false": {daemon: []string{"preserve-fib = false"}, end: (*nvad).Stop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.plant()
			f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}, graceful: true})
			s := ordinary(open(peer1))
			s.daemon = c.daemon
			b.configure(s)
			before := b.ip("route") + b.ip("nexthop") + b.ip("-br link")
			n := b.start()
			b.up(peer1)
			b.routed("10.100.0.0/16", "10.0.210.0/24")
			f.knows("10.20.0.0/16")
			c.end(n)
			if code := n.Ended(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			b.planted()
			if after := b.ip("route") + b.ip("nexthop") + b.ip("-br link"); after != before {
				t.Errorf("after\n%s\nbefore\n%s", after, before)
			}
			f.misses("10.20.0.0/16")
			v := f.view()
			if !strings.HasPrefix(v.Reason, "Cease/Administrative Shutdown") || v.ShutdownText != c.says {
				t.Errorf("FRR: %+v", v)
			}
		})
	}
}

// TestFlushOffline ends nvad in ways that leave the kernel as it is. nvad flush then removes
// what belongs to nvad, restores the sysctls and touches nothing else. While an nvad runs, it
// refuses.
func TestFlushOffline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kernel string
		end    func(n *nvad)
	}{
		"after SIGTERM, with next-hop objects": {"nexthop-groups = true", (*nvad).Stop},
		"after SIGKILL, plain routes":          {"nexthop-groups = false", func(n *nvad) { _ = n.Cmd.Process.Kill(); n.Ended() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.plant()
			b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
			s := ordinary(open(peer1))
			s.rest = fmt.Sprintf(`[[nic]]
device = "eth0"
gateway = %q
[[snat]]
source = "10.9.0.0/16"
out = "eth0"
to = "10.0.0.4"
[kernel]
ip-forward = true
sysctls = { "net.ipv4.conf.all.rp_filter" = "2", "net.ipv4.conf.eth0.send_redirects" = "0" }
%s`, peer1, c.kernel)
			b.configure(s)
			b.sysctl("net.ipv4.conf.all.rp_filter=0 net.ipv4.ip_forward=0 net.ipv4.conf.eth0.send_redirects=1")
			before := b.kernel()
			n := b.start()
			b.up(peer1)
			b.routed("10.100.0.0/16", "10.0.210.0/24")
			running := b.kernel()
			if r := b.flush(); r.code != 1 || !strings.Contains(r.err, "another nvad (pid ") || !strings.Contains(r.err, "nvactl stop --flush") {
				t.Errorf("while nvad runs: %+v", r)
			}
			c.end(n)
			if got := b.kernel(); got != running {
				t.Errorf("after nvad ended\n%s\nwhile it ran\n%s", got, running)
			}
			if r := b.ctl("stop", "--flush"); r.code != 1 || !strings.Contains(r.err, "sudo nvad flush") {
				t.Errorf("nvactl stop --flush: %+v", r)
			}
			b.sysctl("net.ipv4.conf.eth0.send_redirects=1") // from here on the value is another program's
			r := b.flush()
			b.must(contains(r.out, "removed 2 routes, ", "of NICs' tables, ", "the nftables table, tunnel vxlan0\n", "restored net.ipv4.ip_forward = 0\n",
				"restored net.ipv4.conf.all.rp_filter = 0\n", "left net.ipv4.conf.eth0.send_redirects = 1: another program",
				"left 2 routes of nvad's protocols"))
			if after := b.kernel(); r.code != 0 || r.err != "" || after != before {
				t.Errorf("flush: %+v\nafter\n%s\nbefore\n%s", r, after, before)
			}
			b.planted()
			if r := b.flush(); r.code != 0 || !strings.HasPrefix(r.out, "nothing of nvad's is in the kernel\n") {
				t.Errorf("once more: %+v", r)
			}
		})
	}
}

// TestFlushSysctls: a daemon that flushes when it ends restores the sysctls too, also after a
// restart.
func TestFlushSysctls(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := ordinary()
	s.rest = "[kernel]\nip-forward = true\n"
	b.configure(s)
	b.sysctl("net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
	before := b.kernel()
	b.start().Stop()
	n := b.start()
	if b.kernel() == before {
		t.Error("nvad changed nothing")
	}
	if r := n.ctl("stop", "--flush"); r.code != 0 {
		t.Errorf("nvactl: %+v", r)
	}
	n.Ended()
	if after := b.kernel(); after != before {
		t.Errorf("after\n%s\nbefore\n%s", after, before)
	}
}

// flush runs nvad flush in the bed's namespace.
func (b *bed) flush() result {
	b.Helper()
	return b.run(lab.Build(b.T, "./cmd/nvad"), "flush", "--config", b.config, "--socket", b.socket)
}

func (b *bed) sysctl(settings string) {
	b.Helper()
	b.Sh("ip netns exec %s sysctl -qw %s", b.NS(b.ours), settings)
}

// kernel returns everything that nvad may change in the namespace. It leaves out the IPv6
// routes that the kernel adds by itself some time after a link is up.
func (b *bed) kernel() string {
	b.Helper()
	return b.ip("-4 route show table all") + b.ip("-6 route show proto bgp") + b.ip("-6 route show proto 200") + b.ip("nexthop") + b.ip("rule") + b.ip("-br link") +
		b.In(b.ours, "nft", "--stateless", "list", "ruleset") +
		b.In(b.ours, "sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth0.send_redirects")
}
