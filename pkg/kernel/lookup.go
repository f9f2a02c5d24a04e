package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// Lookup asks the kernel of a namespace where it sends packets for addr.
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
	var errno syscall.Errno
	errors.As(err, &errno)
	if fate, ok := fates[errno]; ok {
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

// fates maps the errors with which IPv4 reports routes that lead nowhere.
var fates = map[syscall.Errno]fib.Fate{
	unix.EINVAL: fib.FateDropped, unix.EHOSTUNREACH: fib.FateUnreachable, unix.EACCES: fib.FateProhibited, unix.ENETUNREACH: fib.FateNoRoute,
}

// ask sends one RTM_GETROUTE. With RTM_F_FIB_MATCH the answer is the route, otherwise
// the result for addr.
func (s *socket) ask(addr netip.Addr, flags uint32) (w fib.Lookup, err error) {
	body := rtmsg(family(addr), byte(addr.BitLen()), 0, 0, 0, 0)
	order.PutUint32(body[8:], flags)
	body = attr(body, unix.RTA_DST, addr.AsSlice())
	err = s.query(unix.RTM_GETROUTE, unix.NLM_F_ACK, body, func(m message) {
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
	w := fib.Lookup{Fate: fateOf[body[7]]}
	var r fib.KernelRoute
	_, w.MTU = decodeRouteInto(&r, body)
	if len(r.Hops) > 0 {
		w.Via, w.Link = r.Hops[0].Via, r.Hops[0].Link
	}
	w.Source, w.Prefix, w.Protocol, w.Metric = r.Source, r.Prefix, r.Protocol, r.Metric
	return w
}

// dropping finds the route that keeps addr from being reached, because the kernel's
// answer is only an error.
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
