package kernel

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nic"
)

// NICs is the policy rules of a namespace and the tables that they lead to, as far
// as package nic makes them. It implements nic.Kernel for one goroutine.
type NICs struct{ s *socket }

// openNICs opens the rules of a namespace.
func openNICs(ns Namespace) (*NICs, error) {
	s, err := dial(ns)
	if err != nil {
		return nil, err
	}
	return &NICs{s}, nil
}

// Close closes the socket; the kernel's state stays.
func (n *NICs) Close() error { return n.s.close() }

// sizeofRuleHdr is struct fib_rule_hdr of linux/fib_rules.h.
const sizeofRuleHdr = 12

// Read implements nic.Kernel.
func (n *NICs) Read(tables []uint32) (f nic.Found, err error) {
	encode := func(b []byte, seq uint32) []byte {
		b, start := header(b, unix.RTM_GETRULE, unix.NLM_F_DUMP, seq)
		b = append(b, unix.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		finish(b, start)
		return b
	}
	err = n.s.dump(encode, func(m message) {
		if r, ok := decodeRule(m.body); ok && m.kind == unix.RTM_NEWRULE {
			f.Rules = append(f.Rules, r)
		}
	}, func() { f.Rules = nil })
	if err != nil {
		return f, fmt.Errorf("read rules: %w", err)
	}
	if len(tables) == 0 {
		tables = []uint32{unix.RT_TABLE_UNSPEC}
	}
	for _, t := range tables {
		list, err := n.routes(t)
		if err != nil {
			return f, fmt.Errorf("read routes of table %d: %w", t, err)
		}
		f.Routes = append(f.Routes, list...)
	}
	return f, nil
}

// routes reads nvad's routes of a table, of all for RT_TABLE_UNSPEC.
func (n *NICs) routes(table uint32) (list []nic.Route, err error) {
	encode := func(b []byte, seq uint32) []byte {
		b, start := header(b, unix.RTM_GETROUTE, unix.NLM_F_DUMP, seq)
		b = append(b, unix.AF_INET, 0, 0, 0, 0, nic.Protocol, 0, 0, 0, 0, 0, 0)
		if table != unix.RT_TABLE_UNSPEC {
			b = attr32(b, unix.RTA_TABLE, table)
		}
		finish(b, start)
		return b
	}
	err = n.s.dump(encode, func(m message) {
		r, t, ok := decodeAnyRoute(m.body)
		if ok && m.kind == unix.RTM_NEWROUTE && ownNICRoute(r, t) {
			own := nic.Route{Table: t}
			if len(r.Hops) > 0 {
				own.Via, own.Link = r.Hops[0].Via, r.Hops[0].Link
			}
			list = append(list, own)
		}
	}, func() { list = nil })
	if errors.Is(err, unix.ENOENT) {
		return nil, nil // the table comes into being with its first route
	}
	return list, err
}

// platform is the destination of what package nic makes.
var platform = netip.PrefixFrom(nic.Platform, nic.Platform.BitLen())

func ownNICRoute(r fib.KernelRoute, table uint32) bool {
	return r.Protocol == nic.Protocol && r.Prefix == platform && table != unix.RT_TABLE_MAIN && table != unix.RT_TABLE_LOCAL
}

// decodeRule reads an RTM_NEWRULE. ok is false for one that is not nvad's: one
// with any condition more was made by somebody else.
func decodeRule(body []byte) (r nic.Rule, ok bool) {
	if len(body) < sizeofRuleHdr || body[1] != 32 || body[2] != 32 || body[3] != 0 || body[7] != unix.FR_ACT_TO_TBL {
		return r, false
	}
	const inverted = 2 // FIB_RULE_INVERT
	ok = order.Uint32(body[8:])&inverted == 0
	var to netip.Addr
	var priority uint32
	var marked bool
	attrs(body[sizeofRuleHdr:], func(kind uint16, v []byte) {
		switch kind {
		case unix.FRA_SRC:
			r.From, _ = netip.AddrFromSlice(v)
		case unix.FRA_DST:
			to, _ = netip.AddrFromSlice(v)
		case unix.FRA_TABLE:
			r.Table = u32(v)
		case unix.FRA_PRIORITY:
			priority = u32(v)
		case unix.FRA_PROTOCOL:
			ok = ok && len(v) == 1 && v[0] == nic.Protocol
			marked = true
		case unix.FRA_SUPPRESS_PREFIXLEN:
			ok = ok && u32(v) == ^uint32(0) // always told; none
		default:
			ok = false
		}
	})
	return r, ok && to == nic.Platform && priority == nic.Priority && marked
}

// Do implements nic.Kernel.
func (n *NICs) Do(op nic.Op) error {
	err := n.s.batch(1, func(b []byte, _ int, seq uint32) []byte {
		if op.Kind == nic.AddRule || op.Kind == nic.DeleteRule {
			return encodeRule(b, op, seq)
		}
		return encodeNICRoute(b, op, seq)
	})[0]
	switch op.Kind {
	case nic.AddRule:
		return unless(err, unix.EEXIST)
	case nic.DeleteRule:
		return unless(err, unix.ENOENT)
	case nic.DeleteRoute:
		return unless(err, unix.ESRCH)
	}
	return err
}

func encodeRule(b []byte, op nic.Op, seq uint32) []byte {
	kind, flags := uint16(unix.RTM_NEWRULE), uint16(unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	if op.Kind == nic.DeleteRule {
		kind, flags = unix.RTM_DELRULE, unix.NLM_F_ACK
	}
	b, start := header(b, kind, flags, seq)
	b = append(b, unix.AF_INET, 32, 32, 0, unix.RT_TABLE_UNSPEC, 0, 0, unix.FR_ACT_TO_TBL, 0, 0, 0, 0)
	b = attr(b, unix.FRA_SRC, op.Rule.From.AsSlice())
	b = attr(b, unix.FRA_DST, nic.Platform.AsSlice())
	b = attr32(b, unix.FRA_PRIORITY, nic.Priority)
	b = attr32(b, unix.FRA_TABLE, op.Rule.Table)
	b = attr(b, unix.FRA_PROTOCOL, []byte{nic.Protocol})
	finish(b, start)
	return b
}

func encodeNICRoute(b []byte, op nic.Op, seq uint32) []byte {
	kind, flags, scope := uint16(unix.RTM_NEWROUTE), uint16(unix.NLM_F_ACK|unix.NLM_F_CREATE), byte(unix.RT_SCOPE_UNIVERSE)
	switch op.Kind {
	case nic.AddRoute:
		flags |= unix.NLM_F_EXCL
	case nic.ReplaceRoute:
		flags |= unix.NLM_F_REPLACE
	default:
		kind, flags, scope = unix.RTM_DELROUTE, unix.NLM_F_ACK, unix.RT_SCOPE_NOWHERE
	}
	b, start := header(b, kind, flags, seq)
	b = append(b, unix.AF_INET, 32, 0, 0, unix.RT_TABLE_UNSPEC, nic.Protocol, scope, unix.RTN_UNICAST, 0, 0, 0, 0)
	b = attr32(b, unix.RTA_TABLE, op.Route.Table)
	b = attr(b, unix.RTA_DST, nic.Platform.AsSlice())
	if op.Kind != nic.DeleteRoute {
		b = attr(b, unix.RTA_GATEWAY, op.Route.Via.AsSlice())
		b = attr32(b, unix.RTA_OIF, uint32(op.Route.Link))
	}
	finish(b, start)
	return b
}
