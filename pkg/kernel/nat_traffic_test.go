package kernel

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/nat"
)

// natLab is an inside network, an NVA and a network beyond it, each in its own namespace.
type natLab struct {
	t                   *testing.T
	inside, nva, beyond Namespace
	beyondName          string
	nat                 *nat.Manager
}

// newNATLab builds inside 10.1.0.2 - in0, NVA, bond0 203.0.113.1 - beyond 203.0.113.2, and a
// tunnel vxlan0 between the NVA and beyond that leads to 10.9.0.1. Beyond has every address
// that a test sends to.
func newNATLab(t *testing.T) *natLab {
	t.Helper()
	l := &natLab{t: t}
	var inside, nva, beyond string
	l.inside, inside = testNS(t)
	l.nva, nva = testNS(t)
	l.beyond, beyond = testNS(t)
	l.beyondName = beyond
	up := func(ns, link string, addrs ...string) {
		sh(t, "ip -n "+ns+" link set "+link+" up")
		for _, a := range addrs {
			sh(t, "ip -n "+ns+" addr add "+a+" dev "+link)
		}
	}
	for _, ns := range []string{inside, nva, beyond} {
		sh(t, "ip netns exec "+ns+" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")
	}
	sh(t, "ip -n "+inside+" link add up0 type veth peer name in0 netns "+nva)
	sh(t, "ip -n "+nva+" link add bond0 type veth peer name wan0 netns "+beyond)
	up(inside, "up0", "10.1.0.2/24", "fd01::2/64")
	up(nva, "in0", "10.1.0.1/24", "fd01::1/64")
	up(nva, "bond0", "203.0.113.1/24", "203.0.113.7/24", "2001:db8::1/64")
	up(beyond, "wan0", "203.0.113.2/24", "2001:db8::2/64")
	up(beyond, "lo", "172.16.0.9/32", "168.63.129.16/32", "169.254.169.254/32", "10.9.0.1/32")
	sh(t, "ip -n "+nva+" link add vxlan0 type vxlan id 77 local 203.0.113.1 remote 203.0.113.2 dstport 4789 dev bond0")
	sh(t, "ip -n "+beyond+" link add vxlan0 type vxlan id 77 local 203.0.113.2 remote 203.0.113.1 dstport 4789 dev wan0")
	up(nva, "vxlan0", "169.254.0.1/24")
	up(beyond, "vxlan0", "169.254.0.2/24")
	for _, cmd := range []string{
		inside + " route add default via 10.1.0.1", inside + " route add 2001:db8::/64 via fd01::1",
		nva + " route add default via 203.0.113.2", nva + " route add 10.9.0.0/16 via 169.254.0.2",
		beyond + " route add 10.1.0.0/24 via 203.0.113.1", beyond + " route add fd01::/64 via 2001:db8::1",
	} {
		sh(t, "ip -n "+cmd)
	}
	k := open(t, l.nva)
	for _, name := range []string{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} {
		if err := k.Sysctls.Set(name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	l.nat = nat.New(k.NFT)
	return l
}

// want makes the NVA's table contain these rules.
func (l *natLab) want(r nat.Rules) {
	l.t.Helper()
	l.nat.SetWanted(r)
	syncNAT(l.t, l.nat)
}

// serve answers at a UDP address with the sender's address and the port that it was asked on.
func (l *natLab) serve(ns Namespace, addr string) {
	l.t.Helper()
	var conn net.PacketConn
	err := ns.do(func() (err error) {
		conn, err = net.ListenPacket("udp", addr)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	_, port, _ := net.SplitHostPort(addr)
	go func() {
		b := make([]byte, 100)
		for {
			_, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(from.String()+" "+port), from) // if this fails, the sender reports that no answer came
		}
	}()
}

// ask sends to a UDP address and returns the answer's address and port.
func (l *natLab) ask(ns Namespace, addr string) (from netip.AddrPort, port string) {
	l.t.Helper()
	var answer string
	err := ns.do(func() error {
		conn, err := net.Dial("udp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		b := make([]byte, 100)
		for range 20 { // the first packets may be lost while a neighbour is resolved
			_ = conn.SetDeadline(time.Now().Add(250 * time.Millisecond)) // never fails for UDP
			_, _ = conn.Write([]byte("?"))
			n, rerr := conn.Read(b)
			if err = rerr; err == nil {
				answer = string(b[:n])
				return nil
			}
		}
		return err
	})
	if err != nil {
		l.t.Fatalf("ask %s: %v", addr, err)
	}
	who, port, _ := strings.Cut(answer, " ")
	return netip.MustParseAddrPort(who), port
}

// Which source address the other side sees, under which rules.
func TestNATSourceTraffic(t *testing.T) {
	l := newNATLab(t)
	for _, addr := range []string{
		"203.0.113.2:7", "172.16.0.9:7", "168.63.129.16:7", "169.254.169.254:7", "[2001:db8::2]:7",
	} {
		l.serve(l.beyond, addr)
	}
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	masquerade := nat.Masquerade{Out: "bond0", Source: any4, ExceptDestinations: prefixes("10.0.0.0/8", "172.16.0.0/12")}
	excepted := masquerade
	excepted.ExceptSources = prefixes("10.1.0.2/32")
	elsewhere := masquerade
	elsewhere.Out = "eth0"
	six := nat.Masquerade{Out: "bond0", Source: netip.MustParsePrefix("::/0")}
	snat := nat.SNAT{Source: prefixes("10.1.0.0/24")[0], Out: "bond0", To: endpoint("203.0.113.7", 1024, 1033)}
	for _, tt := range []struct {
		name, to, from string
		rules          nat.Rules
	}{
		{"no rules", "203.0.113.2:7", "10.1.0.2", nat.Rules{}},
		{"masquerade", "203.0.113.2:7", "203.0.113.1", nat.Rules{Masquerades: []nat.Masquerade{masquerade}}},
		{"excepted destination", "172.16.0.9:7", "10.1.0.2", nat.Rules{Masquerades: []nat.Masquerade{masquerade}}},
		{"platform address", "168.63.129.16:7", "10.1.0.2", nat.Rules{Masquerades: []nat.Masquerade{masquerade}}},
		{"metadata service", "169.254.169.254:7", "10.1.0.2", nat.Rules{Masquerades: []nat.Masquerade{masquerade}}},
		{"excepted source", "203.0.113.2:7", "10.1.0.2", nat.Rules{Masquerades: []nat.Masquerade{excepted}}},
		{"excepted once only", "203.0.113.2:7", "203.0.113.1", nat.Rules{Masquerades: []nat.Masquerade{excepted, masquerade}}},
		{"another device", "203.0.113.2:7", "10.1.0.2", nat.Rules{Masquerades: []nat.Masquerade{elsewhere}}},
		{"IPv4 alone", "[2001:db8::2]:7", "fd01::2", nat.Rules{Masquerades: []nat.Masquerade{masquerade}}},
		{"IPv6", "[2001:db8::2]:7", "2001:db8::1", nat.Rules{Masquerades: []nat.Masquerade{six}}},
		{"snat before masquerade", "203.0.113.2:7", "203.0.113.7", nat.Rules{SNATs: []nat.SNAT{snat}, Masquerades: []nat.Masquerade{masquerade}}},
	} {
		l.want(tt.rules)
		from, _ := l.ask(l.inside, tt.to)
		if from.Addr().String() != tt.from {
			t.Errorf("%s: %s is seen as %s, want %s", tt.name, tt.to, from.Addr(), tt.from)
		}
		if n := from.Port(); len(tt.rules.SNATs) > 0 && (n < 1024 || n > 1033) {
			t.Errorf("%s: port %d", tt.name, n)
		}
	}
}

// Ports of the NVA's address lead to ports inside.
func TestNATDestinationTraffic(t *testing.T) {
	l := newNATLab(t)
	for _, addr := range []string{"10.1.0.2:80", "10.1.0.2:9000", "10.1.0.2:9003", "10.1.0.2:5000"} {
		l.serve(l.inside, addr)
	}
	l.want(nat.Rules{DNATs: []nat.DNAT{
		{In: "bond0", Protocol: nat.UDP, Ports: nat.Ports{Low: 8080, High: 8080}, To: endpoint("10.1.0.2", 80, 80)},
		{Destination: netip.MustParseAddr("203.0.113.1"), Ports: nat.Ports{Low: 8000, High: 8003}, To: endpoint("10.1.0.2", 9000, 9003)},
		{In: "bond0", Destination: netip.MustParseAddr("203.0.113.7"), To: endpoint("10.1.0.2", 0, 0)},
	}})
	for to, want := range map[string]string{
		"203.0.113.1:8080": "80", "203.0.113.1:8000": "9000", "203.0.113.1:8003": "9003", "203.0.113.7:5000": "5000",
	} {
		if from, port := l.ask(l.beyond, to); port != want || from.Addr().String() != "203.0.113.2" {
			t.Errorf("%s reached port %s as %s, want %s", to, port, from, want)
		}
	}
}

// A SYN that leaves through the tunnel, and the answer that comes out of it, carry a segment
// size that fits into the tunnel.
func TestMSSClampTraffic(t *testing.T) {
	l := newNATLab(t)
	sh(t, "ip -n "+l.beyondName+" route replace 10.1.0.0/24 via 169.254.0.1 advmss 1460")
	var listener net.Listener
	if err := l.beyond.do(func() (err error) { listener, err = net.Listen("tcp", "10.9.0.1:80"); return err }); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, tt := range []struct {
		name   string
		clamps []nat.Clamp
		want   string
	}{
		{"off", nil, "1460 1460"},
		{"auto", []nat.Clamp{{Device: "vxlan0"}}, "1410 1410"},
		{"number", []nat.Clamp{{Device: "vxlan0", Size: 1350}}, "1350 1350"},
		{"never raised", []nat.Clamp{{Device: "vxlan0", Size: 9000}}, "1460 1460"},
	} {
		l.want(nat.Rules{Clamps: tt.clamps})
		out, in := capture(t, l.beyond, "vxlan0"), capture(t, l.inside, "up0")
		err := l.inside.do(func() error {
			conn, err := net.DialTimeout("tcp", "10.9.0.1:80", 5*time.Second)
			if err == nil {
				conn.Close()
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := fmt.Sprint(segmentSize(t, out, 80, 2), " ", segmentSize(t, in, 80, 0)); got != tt.want {
			t.Errorf("%s: sizes out and in are %s, want %s", tt.name, got, tt.want)
		}
	}
}

// segmentSize waits for a captured SYN with port at offset place of the TCP header, and
// returns its MSS option.
func segmentSize(t *testing.T, fd int, port uint16, place int) int {
	t.Helper()
	const ip, tcp, options, end = 14, 14 + 20, 14 + 20 + 20, 14 + 60
	b := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			t.Fatalf("no SYN was seen: %v", err)
		}
		if n < end || b[12] != 8 || b[ip+9] != unix.IPPROTO_TCP || b[tcp+13]&2 == 0 || binary.BigEndian.Uint16(b[tcp+place:]) != port {
			continue
		}
		if b[options] != 2 || b[options+1] != 4 {
			t.Fatalf("the first option is not the segment size: %x", b[options:end])
		}
		return int(binary.BigEndian.Uint16(b[options+2:]))
	}
}
