package bmp

import (
	"encoding/binary"
	"net/netip"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Statistics has the counts of one neighbor that stations are sent.
type Statistics struct {
	Neighbor  netip.Addr
	Tallies   [2]rib.Tally
	Malformed speaker.MalformedCounts
	LocRIB    int // prefixes, of all neighbors together
}

// stat is one TLV of a Statistics Report.
type stat struct {
	typ   uint16
	value []byte
}

// Types of statistics (RFC 7854 4.8, RFC 8671 6.2).
const (
	statRejected        = 0
	statClusterLoop     = 3
	statPathLoop        = 4
	statOriginatorLoop  = 5
	statAdjIn           = 7
	statLocRIB          = 8
	statAdjInFamily     = 9
	statTreatAsWithdraw = 11
	statAdjOut          = 15 // after export policy
	statAdjOutFamily    = 17
)

// rejections are the reasons of the RIB by their statistic. The others have none.
var rejections = []struct {
	typ    uint16
	reason string
}{
	{statRejected, "policy"}, {statClusterLoop, "cluster-list"}, {statPathLoop, "as-loop"}, {statOriginatorLoop, "originator-id"},
}

// stats returns the TLVs of s.
func (s *Statistics) stats() (list []stat) {
	totals := map[string]uint64{}
	received, advertised := 0, 0
	for _, t := range s.Tallies {
		for _, r := range t.Rejected {
			totals[r.Reason] += r.Total
		}
		received += t.Received()
		advertised += t.Advertised
	}
	for _, r := range rejections {
		list = append(list, counter(r.typ, totals[r.reason]))
	}
	list = append(list, counter(statTreatAsWithdraw, s.Malformed.ByAction[speaker.TreatAsWithdraw]),
		gauge(statAdjIn, received), gauge(statLocRIB, s.LocRIB), gauge(statAdjOut, advertised))
	for _, t := range s.Tallies {
		list = append(list, familyGauge(statAdjInFamily, t.Family, t.Received()), familyGauge(statAdjOutFamily, t.Family, t.Advertised))
	}
	return list
}

// counter has 32 bits, and begins again at 0 when they are full.
func counter(typ uint16, n uint64) stat {
	return stat{typ, binary.BigEndian.AppendUint32(nil, uint32(n))}
}

func gauge(typ uint16, n int) stat {
	return stat{typ, binary.BigEndian.AppendUint64(nil, uint64(n))}
}

// familyGauge is a gauge after the AFI and the SAFI that it is of.
func familyGauge(typ uint16, f route.Family, n int) stat {
	afi := byte(1)
	if f == route.IPv6 {
		afi = 2
	}
	return stat{typ, binary.BigEndian.AppendUint64([]byte{0, afi, 1}, uint64(n))}
}
