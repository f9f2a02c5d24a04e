package bfd

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Offsets for a filter of a UDP socket, which begins at the UDP header and reaches
// the network header by netHeader (SKF_NET_OFF).
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

// filter drops, before they take room in a socket's buffer, packets that none of
// the rules lets through. It is classic BPF, which needs no privilege. It costs a
// packet some comparisons for each session; with more of them than a filter can
// hold, only what no session could take is dropped.
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

// test is a step of a rule: load a field, and go on only if it compares.
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

// block lets the packets of one session through, and falls through with others.
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

// finish is code that accepts a packet which passes all tests, and otherwise ends
// behind itself.
func finish(tests []test) []unix.SockFilter {
	var out []unix.SockFilter
	for i, t := range tests {
		toEnd := uint8(2*(len(tests)-i-1) + 1) // the tests that are left, and the return
		out = append(out,
			unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | t.size, K: t.at},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | t.jump, K: t.want, Jf: toEnd},
		)
	}
	return append(out, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff})
}

// shield has each receive socket drop what rules do not let through; without rules
// it lets everything through.
func (u *udp) shield(rules []rule) {
	for k, r := range u.receivers {
		of := slices.DeleteFunc(slices.Clone(rules), func(r rule) bool {
			return r.key.Remote.Is6() != k.v6 || r.key.Multihop != k.multihop
		})
		_ = r.raw.Control(func(fd uintptr) {
			if len(rules) == 0 {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
				return
			}
			code := filter(of, k.v6)
			program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
			if err := unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) // an older one would keep out new sessions
			}
		})
	}
}
