package kernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nic"
)

// NICs reads and writes nvad's policy rules, and the tables to which they lead. It
// implements nic.Kernel for one goroutine.
type NICs struct{ s *socket }

// sizeofRuleHdr is the size of struct fib_rule_hdr of linux/fib_rules.h.
const sizeofRuleHdr = 12

// Read implements nic.Kernel.
func (n *NICs) Read(tables []uint32) (f nic.Found, err error) {
	body := make([]byte, sizeofRuleHdr)
	body[0] = unix.AF_INET
	err = n.s.dump(unix.RTM_GETRULE, body, func(m message) {
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

// routes reads nvad's routes in a table; RT_TABLE_UNSPEC means all tables.
func (n *NICs) routes(table uint32) (list []nic.Route, err error) {
	body := rtmsg(unix.AF_INET, 0, 0, nic.Protocol, 0, 0)
	if table != unix.RT_TABLE_UNSPEC {
		body = attr32(body, unix.RTA_TABLE, table)
	}
	err = n.s.dump(unix.RTM_GETROUTE, body, func(m message) {
		r, t, ok := decodeRoute(m.body)
		if ok && m.kind == unix.RTM_NEWROUTE && ownNICRoute(r, t) {
			own := nic.Route{Table: t}
			if len(r.Hops) > 0 {
				own.Via, own.Link = r.Hops[0].Via, r.Hops[0].Link
			}
			list = append(list, own)
		}
	}, func() { list = nil })
	return list, unless(err, unix.ENOENT) // a table exists once it has a route
}

// platform is the destination of the rules and routes of package nic.
var platform = netip.PrefixFrom(nic.Platform, nic.Platform.BitLen())

func ownNICRoute(r fib.KernelRoute, table uint32) bool {
	return r.Protocol == nic.Protocol && r.Prefix == platform && table != unix.RT_TABLE_MAIN && table != unix.RT_TABLE_LOCAL
}

// decodeRule reads an RTM_NEWRULE. ok is false for another program's rule: any condition
// beside those that nvad sets shows that.
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
			ok = ok && u32(v) == ^uint32(0) // the kernel always reports it; -1 is none
		default:
			ok = false
		}
	})
	return r, ok && to == nic.Platform && priority == nic.Priority && marked
}

// Do implements nic.Kernel.
func (n *NICs) Do(op nic.Op) error {
	const create = unix.NLM_F_CREATE
	switch op.Kind {
	case nic.AddRoute:
		return n.s.do(unix.RTM_NEWROUTE, create|unix.NLM_F_EXCL, encodeNICRoute(op.Route))
	case nic.ReplaceRoute:
		return n.s.do(unix.RTM_NEWROUTE, create|unix.NLM_F_REPLACE, encodeNICRoute(op.Route))
	case nic.AddRule:
		return unless(n.s.do(unix.RTM_NEWRULE, create|unix.NLM_F_EXCL, encodeRule(op.Rule)), unix.EEXIST)
	case nic.DeleteRule:
		return unless(n.s.do(unix.RTM_DELRULE, 0, encodeRule(op.Rule)), unix.ENOENT)
	}
	body := rtmsg(unix.AF_INET, 32, unix.RT_TABLE_UNSPEC, nic.Protocol, unix.RT_SCOPE_NOWHERE, unix.RTN_UNICAST)
	body = attr32(body, unix.RTA_TABLE, op.Route.Table)
	body = attr(body, unix.RTA_DST, nic.Platform.AsSlice())
	return unless(n.s.do(unix.RTM_DELROUTE, 0, body), unix.ESRCH)
}

func encodeRule(r nic.Rule) []byte {
	b := []byte{unix.AF_INET, 32, 32, 0, unix.RT_TABLE_UNSPEC, 0, 0, unix.FR_ACT_TO_TBL, 0, 0, 0, 0}
	b = attr(b, unix.FRA_SRC, r.From.AsSlice())
	b = attr(b, unix.FRA_DST, nic.Platform.AsSlice())
	b = attr32(b, unix.FRA_PRIORITY, nic.Priority)
	b = attr32(b, unix.FRA_TABLE, r.Table)
	return attr(b, unix.FRA_PROTOCOL, []byte{nic.Protocol})
}

func encodeNICRoute(r nic.Route) []byte {
	b := rtmsg(unix.AF_INET, 32, unix.RT_TABLE_UNSPEC, nic.Protocol, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST)
	b = attr32(b, unix.RTA_TABLE, r.Table)
	b = attr(b, unix.RTA_DST, nic.Platform.AsSlice())
	b = attr(b, unix.RTA_GATEWAY, r.Via.AsSlice())
	return attr32(b, unix.RTA_OIF, uint32(r.Link))
}
