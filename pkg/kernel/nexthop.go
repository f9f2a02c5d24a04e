package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

const (
	sizeofNhMsg  = 8 // struct nhmsg of linux/nexthop.h
	sizeofMember = 8 // struct nexthop_grp

	rtmGetNextHopBucket = 118 // RTM_GETNEXTHOPBUCKET of linux/rtnetlink.h

	groupResilient = 1  // NEXTHOP_GRP_TYPE_RES
	nhaResGroup    = 12 // NHA_RES_GROUP
	nhaResBuckets  = 1  // NHA_RES_GROUP_BUCKETS
	nhaResIdle     = 2  // NHA_RES_GROUP_IDLE_TIMER
)

// encodeObject appends the message that creates, replaces or deletes a next-hop object.
func encodeObject(b []byte, op fib.Op, seq uint32) []byte {
	o := &op.Object
	if op.Kind == fib.DeleteObject {
		b, start := header(b, unix.RTM_DELNEXTHOP, unix.NLM_F_ACK, seq)
		b = append(b, make([]byte, sizeofNhMsg)...)
		b = attr32(b, unix.NHA_ID, o.ID)
		finish(b, start)
		return b
	}
	b, start := header(b, unix.RTM_NEWNEXTHOP, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_REPLACE, seq)
	fam, flags := byte(unix.AF_UNSPEC), uint32(0)
	if len(o.Members) == 0 {
		fam = family(o.Hop.Via)
		if o.Hop.Onlink {
			flags = unix.RTNH_F_ONLINK
		}
	}
	b = append(b, fam, 0, byte(o.Protocol), 0)
	b = order.AppendUint32(b, flags)
	b = attr32(b, unix.NHA_ID, o.ID)
	if len(o.Members) > 0 {
		b = group(b, o)
	} else {
		b = attr32(b, unix.NHA_OIF, uint32(o.Hop.Link))
		if o.Hop.Gateway().IsValid() {
			b = attr(b, unix.NHA_GATEWAY, o.Hop.Via.AsSlice())
		}
	}
	finish(b, start)
	return b
}

func group(b []byte, o *fib.Object) []byte {
	b, start := nest(b, unix.NHA_GROUP)
	for _, m := range o.Members {
		b = order.AppendUint32(b, m.ID)
		b = append(b, max(m.Weight, 1)-1, 0, 0, 0)
	}
	finishNest(b, start)
	if o.Buckets == 0 {
		return b
	}
	b = attr(b, unix.NHA_GROUP_TYPE, order.AppendUint16(nil, groupResilient))
	b, nested := nest(b, nhaResGroup|unix.NLA_F_NESTED) // the kernel insists on the flag
	b = attr(b, nhaResBuckets, order.AppendUint16(nil, o.Buckets))
	// With an idle time of 0, buckets move at once, as they do in a group of the other type.
	b = attr32(b, nhaResIdle, 0)
	finishNest(b, nested)
	return b
}

// decodeObject reads an RTM_NEWNEXTHOP or RTM_DELNEXTHOP.
func decodeObject(body []byte) (o fib.Object, ok bool) {
	if len(body) < sizeofNhMsg {
		return o, false
	}
	o.Protocol = int(body[2])
	o.Hop.Onlink = order.Uint32(body[4:])&unix.RTNH_F_ONLINK != 0
	o.Hop.Via = netip.IPv4Unspecified()
	if body[0] == unix.AF_INET6 {
		o.Hop.Via = netip.IPv6Unspecified()
	}
	attrs(body[sizeofNhMsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.NHA_ID:
			o.ID = u32(v)
		case unix.NHA_OIF:
			o.Hop.Link = int(u32(v))
		case unix.NHA_GATEWAY:
			o.Hop.Via, _ = netip.AddrFromSlice(v)
		case unix.NHA_GROUP:
			for ; len(v) >= sizeofMember; v = v[sizeofMember:] {
				o.Members = append(o.Members, fib.Member{ID: u32(v), Weight: v[4] + 1})
			}
		case nhaResGroup:
			attrs(v, func(kind uint16, v []byte) {
				if kind == nhaResBuckets && len(v) >= 2 {
					o.Buckets = order.Uint16(v)
				}
			})
		}
	})
	return o, o.ID != 0
}
