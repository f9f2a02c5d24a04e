package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// rtaNHID is RTA_NH_ID of linux/rtnetlink.h, which x/sys/unix lacks.
const rtaNHID = 30

const sizeofRtNexthop = 8 // struct rtnexthop

// rtmsg returns a struct rtmsg.
func rtmsg(family, bits, table, protocol, scope, kind byte) []byte {
	return []byte{family, bits, 0, 0, table, protocol, scope, kind, 0, 0, 0, 0}
}

// encodeRoute appends the message of one route operation.
func encodeRoute(b []byte, op fib.Op, seq uint32) []byte {
	kind, flags := uint16(unix.RTM_NEWROUTE), uint16(unix.NLM_F_ACK|unix.NLM_F_CREATE)
	switch op.Kind {
	case fib.AddRoute:
		flags |= unix.NLM_F_EXCL
	case fib.ReplaceRoute:
		flags |= unix.NLM_F_REPLACE
	default:
		kind, flags = unix.RTM_DELROUTE, unix.NLM_F_ACK
	}
	b, start := header(b, kind, flags, seq)
	r := &op.Route
	b = append(b, rtmsg(family(r.Prefix.Addr()), byte(r.Prefix.Bits()), unix.RT_TABLE_MAIN, byte(r.Protocol), scope(op), routeType(r.Kind))...)
	b = attr(b, unix.RTA_DST, r.Prefix.Addr().AsSlice())
	b = attr32(b, unix.RTA_PRIORITY, r.Metric)
	if r.Source.IsValid() {
		b = attr(b, unix.RTA_PREFSRC, r.Source.AsSlice())
	}
	switch {
	case r.Object != 0:
		b = attr32(b, rtaNHID, r.Object)
	case op.Kind == fib.DeleteRoute:
		// Metric and protocol identify the route; hops would have to match exactly.
	case len(r.Hops) == 1:
		h := r.Hops[0]
		if h.Onlink {
			order.PutUint32(b[start+unix.SizeofNlMsghdr+8:], unix.RTNH_F_ONLINK)
		}
		b = gateway(b, h, r.Prefix.Addr())
		b = attr32(b, unix.RTA_OIF, uint32(h.Link))
	case len(r.Hops) > 1:
		b = multipath(b, r)
	}
	finish(b, start)
	return b
}

// scope returns rtm_scope as iproute2 would set it, so that routes print alike.
func scope(op fib.Op) byte {
	r := &op.Route
	switch {
	case op.Kind == fib.DeleteRoute:
		return unix.RT_SCOPE_NOWHERE // any
	case r.Object == 0 && len(r.Hops) == 1 && !r.Hops[0].Gateway().IsValid() && r.Prefix.Addr().Is4():
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

// gateway appends RTA_GATEWAY, or RTA_VIA for an IPv4 route through an IPv6
// address (RFC 8950).
func gateway(b []byte, h fib.NextHop, dst netip.Addr) []byte {
	switch {
	case !h.Gateway().IsValid():
		return b
	case h.Via.Is4() == dst.Is4():
		return attr(b, unix.RTA_GATEWAY, h.Via.AsSlice())
	}
	value := order.AppendUint16(nil, uint16(family(h.Via)))
	return attr(b, unix.RTA_VIA, append(value, h.Via.AsSlice()...))
}

func multipath(b []byte, r *fib.KernelRoute) []byte {
	b, all := nest(b, unix.RTA_MULTIPATH)
	for _, h := range r.Hops {
		start := len(b)
		var flags byte
		if h.Onlink {
			flags = unix.RTNH_F_ONLINK
		}
		b = append(b, 0, 0, flags, max(h.Weight, 1)-1)
		b = order.AppendUint32(b, uint32(h.Link))
		b = gateway(b, h, r.Prefix.Addr())
		finishNest(b, start)
	}
	finishNest(b, all)
	return b
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func routeType(k fib.Kind) byte {
	switch k {
	case fib.Blackhole:
		return unix.RTN_BLACKHOLE
	case fib.Unreachable:
		return unix.RTN_UNREACHABLE
	}
	return unix.RTN_UNICAST
}

// decodeRoute reads an RTM_NEWROUTE or RTM_DELROUTE of any table. ok is false for what
// routes no unicast packets to other machines, such as a local or a cached route.
func decodeRoute(body []byte) (r fib.KernelRoute, table uint32, ok bool) {
	if len(body) < unix.SizeofRtMsg || body[0] == unix.AF_MPLS || order.Uint32(body[8:])&unix.RTM_F_CLONED != 0 {
		return r, 0, false
	}
	switch body[7] {
	case unix.RTN_UNICAST:
	case unix.RTN_BLACKHOLE:
		r.Kind = fib.Blackhole
	case unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT:
		r.Kind = fib.Unreachable
	default:
		return r, 0, false
	}
	table, _ = decodeRouteInto(&r, body)
	return r, table, true
}

// decodeRouteInto reads all of a message about a route but the kind. It returns the
// table and RTAX_MTU.
func decodeRouteInto(r *fib.KernelRoute, body []byte) (table uint32, mtu int) {
	table = uint32(body[4])
	r.Protocol = int(body[5])
	dst := netip.IPv4Unspecified()
	if body[0] == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	hop := fib.NextHop{Onlink: order.Uint32(body[8:])&unix.RTNH_F_ONLINK != 0, Weight: 1}
	attrs(body[unix.SizeofRtMsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(v)
		case unix.RTA_TABLE:
			table = u32(v)
		case unix.RTA_PRIORITY:
			r.Metric = u32(v)
		case unix.RTA_PREFSRC:
			r.Source, _ = netip.AddrFromSlice(v)
		case rtaNHID:
			r.Object = u32(v)
		case unix.RTA_MULTIPATH:
			r.Hops = decodeHops(v)
		case unix.RTA_METRICS:
			attrs(v, func(kind uint16, v []byte) {
				if kind == unix.RTAX_MTU {
					mtu = int(u32(v))
				}
			})
		default:
			decodeHop(&hop, kind, v)
		}
	})
	if hop.Link != 0 && r.Kind == fib.Unicast {
		r.Hops = []fib.NextHop{hop}
	}
	r.Prefix = netip.PrefixFrom(dst, int(body[1]))
	return table, mtu
}

func decodeHop(h *fib.NextHop, kind uint16, v []byte) {
	switch kind {
	case unix.RTA_GATEWAY:
		h.Via, _ = netip.AddrFromSlice(v)
	case unix.RTA_VIA:
		if len(v) > 2 {
			h.Via, _ = netip.AddrFromSlice(v[2:])
		}
	case unix.RTA_OIF:
		h.Link = int(u32(v))
	}
}

func decodeHops(b []byte) []fib.NextHop {
	var hops []fib.NextHop
	for len(b) >= sizeofRtNexthop {
		n := int(order.Uint16(b))
		if n < sizeofRtNexthop || n > len(b) {
			break
		}
		h := fib.NextHop{Onlink: b[2]&unix.RTNH_F_ONLINK != 0, Weight: b[3] + 1, Link: int(order.Uint32(b[4:]))}
		attrs(b[sizeofRtNexthop:n], func(kind uint16, v []byte) { decodeHop(&h, kind, v) })
		hops = append(hops, h)
		b = b[min((n+3)&^3, len(b)):]
	}
	return hops
}
