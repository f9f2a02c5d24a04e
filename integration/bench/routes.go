package bench

import (
	"encoding/binary"
	"net/netip"

	"github.com/nvad/nvad/integration/rawbgp"
)

// Routes are numbered. Number i is the /24 that is i*256 above firstAddress.
// Numbers from probeBase on are single routes, announced one at a time, and
// stay out of counts.
const (
	firstAddress = 16 << 24
	probeBase    = 1 << 21
	numbers      = 1 << 22
)

// Attributes: routesPerSet consecutive routes share a set, of which there are
// distinctSets.
const (
	routesPerSet = 5
	distinctSets = 20_000
)

const nlriSize = 4 // of a /24

func appendNLRI(b []byte, number int) []byte {
	a := uint32(firstAddress + number<<8)
	return append(b, 24, byte(a>>24), byte(a>>16), byte(a>>8))
}

// numberOf is the number of the route for the network address a, false if it is
// none of the bench's.
func numberOf(a uint32) (int, bool) {
	n := int(a>>8) - firstAddress>>8
	return n, n >= 0 && n < numbers
}

// sender has the properties of a neighbor on which its routes' attributes depend.
type sender struct {
	nextHop  netip.Addr
	internal bool // iBGP: with LOCAL_PREF
}

// chunkSize is about what is written to a socket at once, in whole messages.
const chunkSize = 64 << 10

// announcement appends the UPDATE that announces n routes beginning with first, with the
// attributes of first.
func (s sender) announcement(b []byte, first, n int) []byte {
	return rawbgp.AppendMessage(b, rawbgp.TypeUpdate, func(b []byte) []byte {
		b = append(b, 0, 0, 0, 0)
		start := len(b)
		b = s.attributes(b, first/routesPerSet%distinctSets)
		binary.BigEndian.PutUint16(b[start-2:], uint16(len(b)-start))
		for i := range n {
			b = appendNLRI(b, first+i)
		}
		return b
	})
}

// attributes appends attribute set number set: a path from Azure to a site
// behind an ExpressRoute circuit, with MED and two communities.
func (s sender) attributes(b []byte, set int) []byte {
	u32 := binary.BigEndian.AppendUint32
	b = append(b, 0x40, 1, 1, 0)          // ORIGIN IGP
	b = append(b, 0x40, 2, 2+4*4, 2, 4)   // AS_PATH, one sequence of four
	b = u32(u32(b, 65515), 12076)         // Route Server, ExpressRoute
	b = u32(b, uint32(1000+set))          // below 23456, which is reserved
	b = u32(b, uint32(30_000+set%100))    // the site
	b = append(b, 0x40, 3, 4)             // NEXT_HOP
	b = append(b, s.nextHop.AsSlice()...) //
	b = u32(append(b, 0x80, 4, 4), uint32(set%10))
	if s.internal {
		b = u32(append(b, 0x40, 5, 4), 100) // LOCAL_PREF
	}
	b = append(b, 0xc0, 8, 8) // COMMUNITIES
	return u32(u32(b, 12076<<16|uint32(5000+set%50)), 65515<<16|uint32(20_000+set%7))
}

// announcements returns the UPDATEs of the first n routes, in chunks of whole messages.
func (s sender) announcements(n int) [][]byte {
	return s.announcementsFrom(0, n)
}

func (s sender) announcementsFrom(first, n int) [][]byte {
	return chunks(n, routesPerSet, func(b []byte, i, k int) []byte { return s.announcement(b, first+i, k) })
}

// withdrawals returns the UPDATEs that withdraw n routes beginning with first.
func withdrawals(first, n int) [][]byte {
	const most = (rawbgp.MaxLen - rawbgp.HeaderLen - 4) / nlriSize
	return chunks(n, most, func(b []byte, i, k int) []byte { return withdrawal(b, first+i, k) })
}

func withdrawal(b []byte, first, n int) []byte {
	return rawbgp.AppendMessage(b, rawbgp.TypeUpdate, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint16(b, uint16(n*nlriSize))
		for i := range n {
			b = appendNLRI(b, first+i)
		}
		return append(b, 0, 0)
	})
}

// chunks calls add for 0 to n, step by step, and cuts what it appends into
// pieces of chunkSize.
func chunks(n, step int, add func(b []byte, i, k int) []byte) [][]byte {
	var out [][]byte
	var b []byte
	for i := 0; i < n; i += step {
		if b = add(b, i, min(step, n-i)); len(b) >= chunkSize {
			out, b = append(out, b), make([]byte, 0, chunkSize+rawbgp.MaxLen)
		}
	}
	return append(out, b)
}
