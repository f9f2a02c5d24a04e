package bfd

import (
	"encoding/binary"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// If the loop discards floodPackets within floodWindow, that is a flood. For shieldTime the
// kernel then drops packets that can't belong to a session. At other times the
// loop sees all packets, counts those that it discards, and says why.
const (
	floodWindow  = time.Second
	floodPackets = 500
	shieldTime   = 10 * time.Second
)

// flood counts discarded packets.
type flood struct {
	since time.Time // of n
	n     int
	until time.Time // when the shield may be lifted
}

func (f *flood) count(now time.Time) {
	if now.Sub(f.since) > floodWindow {
		f.since, f.n = now, 0
	}
	if f.n++; f.n == floodPackets {
		f.until = now.Add(shieldTime)
		f.since, f.n = now, 0
	}
}

// rule describes the packets of one session, as far as the kernel can check.
type rule struct {
	key    Key
	minTTL uint8
	discr  uint32 // nvad's discriminator, which the packet has, or else 0
	peer   uint32 // the peer's discriminator, required of a packet with 0; 0: any
}

// shield keeps the filters of the sockets up to date while a flood lasts.
func (l *loop) shield(now time.Time) {
	var rules []rule
	if now.Before(l.flood.until) {
		rules = l.rules()
	}
	if slices.Equal(rules, l.shielded) {
		return
	}
	if len(l.shielded) == 0 {
		l.log.Warn("BFD is flooded, the kernel drops what belongs to no session", "for", shieldTime)
	}
	l.shielded = rules
	l.port.shield(rules)
}

// rules returns the rules of all sessions, in a stable order.
func (l *loop) rules() []rule {
	var out []rule
	for _, e := range l.sessions {
		r := rule{key: e.wanted.Key, minTTL: e.wanted.MinTTL, discr: e.discr}
		if e.state == Up {
			r.peer = e.remote.discr
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b rule) int { return a.key.compare(b.key) })
	return out
}

// Offsets for a filter of a UDP socket. They count from the UDP header, and those with
// netHeader (SKF_NET_OFF) from the network header.
const (
	netHeader   = 0xfff00000 // -0x100000
	payload     = 8
	atVersion   = payload
	atMy        = payload + 4
	atYour      = payload + 8
	ttl4, src4  = netHeader + 8, netHeader + 12
	dst4        = netHeader + 16
	hops6, src6 = netHeader + 7, netHeader + 8
	dst6        = netHeader + 24
)

// mostInstructions is the kernel's limit (BPF_MAXINSNS).
const mostInstructions = 4096

// filter returns a program that drops packets which fit none of the rules, before they take
// room in the socket's buffer. It is classic BPF, which needs no privilege. It compares a
// packet with one session after the other. If there are more sessions than a program can
// hold, it checks only version and hop limit.
func filter(rules []rule, v6 bool) []unix.SockFilter {
	head := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: payload + headerLen, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K},
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: atVersion},
		{Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 5},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: protocolVersion, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K},
	}
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	out := slices.Clone(head)
	least := uint8(maxHopLimit)
	for _, r := range rules {
		least = min(least, r.minTTL)
		out = append(out, r.block(v6)...)
	}
	if len(out) < mostInstructions {
		return append(out, drop)
	}
	coarse := rule{minTTL: least}.ttl(v6)
	return append(append(head, finish(coarse)...), drop)
}

// test is one step of a rule: it loads a field and compares it.
type test struct {
	size uint16 // BPF_W or BPF_B
	at   uint32
	jump uint16 // BPF_JEQ or BPF_JGE
	want uint32
}

func (r rule) ttl(v6 bool) []test {
	at := uint32(ttl4)
	if v6 {
		at = hops6
	}
	return []test{{unix.BPF_B, at, unix.BPF_JGE, uint32(r.minTTL)}}
}

// block returns code that accepts the packets of one session, and goes on with others.
func (r rule) block(v6 bool) []unix.SockFilter {
	var tests []test
	word := func(at uint32, b []byte) {
		for i := 0; i < len(b); i += 4 {
			tests = append(tests, test{unix.BPF_W, at + uint32(i), unix.BPF_JEQ, binary.BigEndian.Uint32(b[i:])})
		}
	}
	src, dst := uint32(src4), uint32(dst4)
	if v6 {
		src, dst = src6, dst6
	}
	word(src, r.key.Remote.AsSlice())
	word(dst, r.key.Local.AsSlice())
	tests = append(tests, r.ttl(v6)...)
	mine := finish(append(slices.Clone(tests), test{unix.BPF_W, atYour, unix.BPF_JEQ, r.discr}))
	tests = append(tests, test{unix.BPF_W, atYour, unix.BPF_JEQ, 0})
	if r.peer != 0 {
		tests = append(tests, test{unix.BPF_W, atMy, unix.BPF_JEQ, r.peer})
	}
	return append(mine, finish(tests)...)
}

// finish returns code that accepts a packet which passes all tests, and otherwise goes on
// behind itself.
func finish(tests []test) []unix.SockFilter {
	var out []unix.SockFilter
	for i, t := range tests {
		toEnd := uint8(2*(len(tests)-i-1) + 1) // jumps over the remaining tests and the return
		out = append(out,
			unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | t.size, K: t.at},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | t.jump, K: t.want, Jf: toEnd},
		)
	}
	return append(out, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff})
}

// shield attaches to each receive socket a filter with its rules. Without rules it detaches
// the filters.
func (u *udp) shield(rules []rule) {
	for at, r := range u.receivers {
		v6 := at.Addr().Is6()
		of := slices.DeleteFunc(slices.Clone(rules), func(r rule) bool {
			return r.key.Remote.Is6() != v6 || r.key.port() != at.Port()
		})
		_ = r.raw.Control(func(fd uintptr) {
			if len(rules) == 0 {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
				return
			}
			code := filter(of, v6)
			program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
			if err := unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) // an older filter would drop the packets of new sessions
			}
		})
	}
}
