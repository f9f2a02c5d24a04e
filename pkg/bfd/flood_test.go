package bfd

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/listen"
)

// junk sends packets that fill has filled from an address to a BFD port, as fast as it can or
// at a rate, until stop is closed.
func junk(t *testing.T, from, to netip.Addr, port int, stop <-chan struct{}, sent *atomic.Uint64, fill func(i uint32) []byte) {
	conn, err := bind(netip.AddrPortFrom(from, 0), senderOptions(from.Is6(), 0))
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Error(err)
		return
	}
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: port, Addr: to.Unmap().As4()}
	_ = raw.Control(func(fd uintptr) {
		for i := uint32(1); ; i++ {
			if i%256 == 0 {
				select {
				case <-stop:
					return
				default:
				}
			}
			if unix.Sendto(int(fd), fill(i), unix.MSG_DONTWAIT, sa) == nil {
				sent.Add(1)
			}
		}
	})
}

// TestFlood: sessions live through as many junk packets as this machine can send to
// itself, from strangers, and from the peer's own address, for longer than the detection time.
func TestFlood(t *testing.T) {
	stranger := netip.MustParseAddr("127.0.77.66")
	for name, tt := range map[string]struct {
		from netip.Addr
		fill func(i uint32) []byte
	}{
		"octets of a stranger":        {stranger, func(uint32) []byte { return []byte("no BFD at all") }},
		"packets of a stranger":       {stranger, func(i uint32) []byte { return packet{state: Down, multiplier: 3, my: i}.appendTo(nil) }},
		"Down with a spoofed address": {loopB, func(i uint32) []byte { return packet{state: Down, multiplier: 3, my: i}.appendTo(nil) }},
		"guessed discriminators": {loopB, func(i uint32) []byte {
			return packet{state: Down, multiplier: 3, my: i, your: i * 2654435761}.appendTo(nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := loopback(t, loopA, loopB, false, DefaultInterval)
			stop := make(chan struct{})
			var sent atomic.Uint64
			ended := make(chan struct{})
			go func() { defer close(ended); junk(t, tt.from, loopA, portSingleHop, stop, &sent, tt.fill) }()
			begin := time.Now()
			time.Sleep(4 * DefaultInterval)
			close(stop)
			<-ended
			took := time.Since(begin)
			s := m.Snapshot()
			var read uint64
			for _, n := range s.Discards {
				read += n
			}
			t.Logf("%.0f packets a second, %d of %d read, worst lateness %v", float64(sent.Load())/took.Seconds(), read, sent.Load(), s.Lateness)
			for _, x := range s.Sessions {
				if x.State != Up || x.Flaps != 0 {
					t.Errorf("got %+v", x)
				}
			}
			if read < floodPackets || read > sent.Load()/4 {
				t.Errorf("the loop has read %d of %d packets", read, sent.Load())
			}
		})
	}
}

// passesFilter sends p, without its last octets, and reports whether u's loop gets to see it.
func passesFilter(t *testing.T, u *udp, key Key, ttl int, p packet, cut int) bool {
	t.Helper()
	port := portSingleHop
	if key.Multihop {
		port = portMultihop
	}
	options := []listen.Option{{unix.IPPROTO_IP, unix.IP_TTL, ttl}}
	if key.Remote.Is6() {
		options = []listen.Option{{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl}}
	}
	conn, err := bind(netip.AddrPortFrom(key.Remote, 0), options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := p.appendTo(nil)
	if _, err := conn.WriteToUDPAddrPort(b[:len(b)-cut], netip.AddrPortFrom(key.Local, uint16(port))); err != nil {
		t.Fatal(err)
	}
	got := false
	u.receive(func(datagram) { got = true }) // loopback delivers before the write returns
	return got
}

// TestFilter: the kernel's filter passes packets that the loop would accept, and drops those
// that no session would.
func TestFilter(t *testing.T) {
	v6 := [2]netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("::1")}
	for name, tt := range map[string]struct {
		local, remote netip.Addr
		multihop      bool
	}{
		"IPv4": {loopA, loopB, false}, "IPv4 multihop": {loopA, loopB, true}, "IPv6": {v6[0], v6[1], false},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUDP()
			defer u.close()
			key := Key{Local: tt.local, Remote: tt.remote, Multihop: tt.multihop}
			l, err := u.open(key, "")
			if err != nil {
				t.Fatal(err)
			}
			defer l.close()
			rules := []rule{
				{key: Key{Local: tt.local, Remote: addr("192.0.2.9"), Multihop: tt.multihop}, minTTL: 255, discr: 9},
				{key: key, minTTL: 250, discr: 0x01020304, peer: 0x0a0b0c0d},
			}
			if tt.local.Is6() {
				rules[0].key.Remote = addr("2001:db8::9")
			}
			passes := func(ttl int, p packet, cut int) bool { return passesFilter(t, u, key, ttl, p, cut) }
			good := packet{state: Up, multiplier: 3, my: 5, your: 0x01020304}
			lost := packet{state: Down, multiplier: 3, my: 0x0a0b0c0d}
			check := func(what string, got, want bool) {
				t.Helper()
				if got != want {
					t.Errorf("%s: passes %v", what, got)
				}
			}
			u.shield(rules)
			check("the peer", passes(255, good, 0), true)
			check("at the least TTL", passes(250, good, 0), true)
			check("from further away", passes(249, good, 0), false)
			check("a peer that lost us", passes(255, lost, 0), true)
			lost.my++
			check("another's Down", passes(255, lost, 0), false)
			good.your++
			check("another discriminator", passes(255, good, 0), false)
			check("too short", passes(255, good, 1), false)
			u.shield(rules[:1])
			good.your--
			check("another session's address", passes(255, good, 0), false)
			var many []rule
			for range 400 {
				many = append(many, rules[0])
			}
			u.shield(append(many, rules[1]))
			check("too many sessions for the filter", passes(250, good, 0), true)
			check("too many sessions, from further away", passes(249, good, 0), false)
			u.shield(nil)
			check("after the flood", passes(1, lost, 1), true)
		})
	}
}
