package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// Lookup asks the kernel of a namespace where packets for addr go.
func Lookup(ns Namespace, addr netip.Addr) (fib.Lookup, error) {
	f, err := OpenFIB(ns)
	if err != nil {
		return fib.Lookup{}, err
	}
	defer f.Close()
	w, err := f.s.ask(addr, 0)
	if err == nil {
		var route fib.Lookup
		route, err = f.s.ask(addr, unix.RTM_F_FIB_MATCH)
		w.Prefix, w.Protocol, w.Metric = route.Prefix, route.Protocol, route.Metric
	}
	if fate, ok := fates[errnoOf(err)]; ok {
		w.Fate, err = fate, nil
	}
	if err != nil {
		return w, fmt.Errorf("look up %s: %w", addr, err)
	}
	if w.Fate == fib.FateDropped || w.Fate == fib.FateUnreachable || w.Fate == fib.FateProhibited {
		err = f.dropping(addr, &w)
	}
	return w, err
}

// fates are the errors by which IPv4 tells of routes that lead nowhere.
var fates = map[syscall.Errno]fib.Fate{
	unix.EINVAL: fib.FateDropped, unix.EHOSTUNREACH: fib.FateUnreachable, unix.EACCES: fib.FateProhibited, unix.ENETUNREACH: fib.FateNoRoute,
}

func errnoOf(err error) syscall.Errno {
	var e syscall.Errno
	errors.As(err, &e)
	return e
}

// ask sends one RTM_GETROUTE. With RTM_F_FIB_MATCH the answer is the route, else
// what it comes to for addr.
func (s *socket) ask(addr netip.Addr, flags uint32) (w fib.Lookup, err error) {
	encode := func(b []byte, seq uint32) []byte {
		b, start := header(b, unix.RTM_GETROUTE, unix.NLM_F_ACK, seq)
		b = append(b, family(addr), byte(addr.BitLen()), 0, 0, 0, 0, 0, 0)
		b = order.AppendUint32(b, flags)
		b = attr(b, unix.RTA_DST, addr.AsSlice())
		finish(b, start)
		return b
	}
	err = s.dump(encode, func(m message) {
		if m.kind == unix.RTM_NEWROUTE && len(m.body) >= unix.SizeofRtMsg {
			w = decodeWay(m.body)
		}
	}, func() {})
	return w, err
}

var fateOf = map[byte]fib.Fate{
	unix.RTN_UNICAST: fib.FateForwarded, unix.RTN_LOCAL: fib.FateLocal, unix.RTN_ANYCAST: fib.FateLocal, unix.RTN_BROADCAST: fib.FateBroadcast,
	unix.RTN_MULTICAST: fib.FateMulticast, unix.RTN_BLACKHOLE: fib.FateDropped, unix.RTN_UNREACHABLE: fib.FateUnreachable,
	unix.RTN_PROHIBIT: fib.FateProhibited,
}

func decodeWay(body []byte) fib.Lookup {
	w := fib.Lookup{Fate: fateOf[body[7]], Protocol: int(body[5])}
	dst := netip.IPv4Unspecified()
	if body[0] == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	var hop fib.NextHop
	attrs(body[unix.SizeofRtMsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(v)
		case unix.RTA_PRIORITY:
			w.Metric = u32(v)
		case unix.RTA_PREFSRC:
			w.Source, _ = netip.AddrFromSlice(v)
		case unix.RTA_METRICS:
			attrs(v, func(kind uint16, v []byte) {
				if kind == unix.RTAX_MTU {
					w.MTU = int(u32(v))
				}
			})
		default:
			decodeHop(&hop, kind, v)
		}
	})
	w.Via, w.Link = hop.Via, hop.Link
	w.Prefix = netip.PrefixFrom(dst, int(body[1]))
	return w
}

// dropping finds the route that keeps addr from being reached: the kernel
// answers with an error alone.
func (f *FIB) dropping(addr netip.Addr, w *fib.Lookup) error {
	best := fib.KernelRoute{}
	err := f.routes(family(addr), func(r fib.KernelRoute) {
		longer := !best.Prefix.IsValid() || r.Prefix.Bits() > best.Prefix.Bits()
		same := best.Prefix == r.Prefix && r.Metric < best.Metric
		if r.Prefix.Contains(addr) && (longer || same) {
			best = r
		}
	})
	if best.Kind != fib.Unicast {
		w.Prefix, w.Protocol, w.Metric = best.Prefix, best.Protocol, best.Metric
	}
	return err
}
