package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
)

// monitorBuffer is large enough for some ten thousand routes that another
// program changes in one go.
const monitorBuffer = 8 << 20

// monitorGroups are the multicast groups whose events nvad acts on.
var monitorGroups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
	unix.RTNLGRP_NEXTHOP, unix.RTNLGRP_IPV4_RULE,
}

// Monitor reports what other programs change in a namespace.
type Monitor struct {
	file   *os.File
	in     []byte
	decode func(message) (e fib.Event, ok bool)
	lost   fib.EventKind // what to report if the kernel had to drop events
}

// openMonitor subscribes to rtnetlink. From this moment the kernel keeps events until
// [Monitor.Watch] fetches them: open it before reading the state, and no change is missed.
// What the given FIB changes gives no events.
func openMonitor(ns Namespace, own *FIB) (*Monitor, error) {
	m := &Monitor{decode: event, lost: fib.LostEvent}
	err := m.open(ns, unix.NETLINK_ROUTE, monitorGroups, func(fd int) error { return ignore(fd, own.s.port) })
	return m, err
}

// openNFTMonitor subscribes to nftables, where nvad's changes give events as well. It
// returns nil if the kernel has no nftables.
func openNFTMonitor(ns Namespace) (*Monitor, error) {
	m := &Monitor{decode: tableEvent, lost: fib.NATEvent}
	err := m.open(ns, unix.NETLINK_NETFILTER, []int{unix.NFNLGRP_NFTABLES}, func(int) error { return nil })
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil
	}
	return m, err
}

func (m *Monitor) open(ns Namespace, protocol int, groups []int, prepare func(fd int) error) error {
	var fd int
	err := ns.do(func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		return err
	})
	if err != nil {
		return fmt.Errorf("monitor socket: %w", err)
	}
	m.file, m.in = os.NewFile(uintptr(fd), "netlink monitor"), make([]byte, readBytes)
	err = errors.Join(receiveBuffer(fd, monitorBuffer), prepare(fd), unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	for _, group := range groups {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group)
		}
	}
	if err != nil {
		m.file.Close()
		return fmt.Errorf("monitor socket: %w", err)
	}
	return nil
}

// ignore makes the kernel drop the events that the socket with the given port caused: a
// million of nvad's routes would drown those of other programs. An event carries the
// requester's port in nlmsg_pid.
func ignore(fd int, port uint32) error {
	const pidOffset = 12
	swapped := order.AppendUint32(nil, port)
	// A load brings the word into host order as if it were big-endian.
	value := uint32(swapped[0])<<24 | uint32(swapped[1])<<16 | uint32(swapped[2])<<8 | uint32(swapped[3])
	prog := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: pidOffset},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: value},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(prog)), Filter: (*unix.SockFilter)(unsafe.Pointer(&prog[0]))})
}

// Close ends the subscription, and [Monitor.Watch] with it. The end of Watch's context
// closes too; calling both is fine.
func (m *Monitor) Close() error {
	if err := m.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Watch calls fn with the events as they come, until ctx ends or the monitor is closed. If
// the kernel had to drop events, it reports that as an event.
func (m *Monitor) Watch(ctx context.Context, fn func([]fib.Event)) error {
	stop := context.AfterFunc(ctx, func() { m.file.Close() })
	defer stop()
	raw, err := m.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	for {
		var events []fib.Event
		var rerr error
		err := raw.Read(func(fd uintptr) bool {
			events, rerr = m.read(int(fd))
			return len(events) > 0 || rerr != nil
		})
		if err = errors.Join(err, rerr); err != nil {
			if ctx.Err() != nil || errors.Is(err, os.ErrClosed) {
				return ctx.Err()
			}
			return fmt.Errorf("monitor: %w", err)
		}
		fn(events)
	}
}

// maxEvents bounds the events of one call.
const maxEvents = 4096

// read fetches the events that wait, without blocking.
func (m *Monitor) read(fd int) ([]fib.Event, error) {
	var events []fib.Event
	for len(events) < maxEvents {
		n, _, err := unix.Recvfrom(fd, m.in, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return events, nil
		case errors.Is(err, unix.ENOBUFS):
			events = append(events, fib.Event{Kind: m.lost})
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		default:
			messages(m.in[:n], func(msg message) {
				e, ok := m.decode(msg)
				again := len(events) > 0 && e.Kind == fib.NATEvent // there is one for each rule of the table
				if ok && !again {
					events = append(events, e)
				}
			})
		}
	}
	return events, nil
}

func linkEvent(m message) fib.Event {
	e := fib.Event{Kind: fib.LinkEvent}
	if len(m.body) >= unix.SizeofIfInfomsg {
		e.Link = int(order.Uint32(m.body[4:]))
		// A link that leaves a bridge is deleted only from there: that event has the
		// family AF_BRIDGE (br_ifinfo_notify in net/bridge/br_netlink.c).
		e.Deleted = m.kind == unix.RTM_DELLINK && m.body[0] == unix.AF_UNSPEC || !running(m.body)
	}
	return e
}

// running reports whether the link of an RTM_NEWLINK is up and has a carrier.
func running(body []byte) bool {
	const flags = unix.IFF_UP | unix.IFF_LOWER_UP
	return len(body) >= unix.SizeofIfInfomsg && order.Uint32(body[8:])&flags == flags
}

// routeEvent reads an event about a route of table main, or about nvad's route in a NIC's
// table.
func routeEvent(m message) (e fib.Event, ok bool) {
	e = fib.Event{Kind: fib.RouteEvent, Deleted: m.kind == unix.RTM_DELROUTE}
	e.Replaced = m.flags&unix.NLM_F_REPLACE != 0
	r, table, ok := decodeRoute(m.body)
	if ok && ownNICRoute(r, table) {
		return fib.Event{Kind: fib.RuleEvent, Deleted: e.Deleted}, true
	}
	e.Route = r
	return e, ok && table == unix.RT_TABLE_MAIN
}

// event reads one rtnetlink event. ok is false if nothing depends on it.
func event(m message) (e fib.Event, ok bool) {
	switch m.kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return linkEvent(m), true
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return fib.Event{Kind: fib.AddressEvent, Deleted: m.kind == unix.RTM_DELADDR}, true
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		bridge := len(m.body) > 0 && m.body[0] == unix.AF_BRIDGE // a forwarding entry
		return fib.Event{Kind: fib.NeighborEvent, Deleted: m.kind == unix.RTM_DELNEIGH}, bridge
	case unix.RTM_NEWNETCONF, unix.RTM_DELNETCONF:
		return fib.Event{Kind: fib.SysctlEvent}, true
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return fib.Event{Kind: fib.RuleEvent, Deleted: m.kind == unix.RTM_DELRULE}, true
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return routeEvent(m)
	case unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
		o, ok := decodeObject(m.body)
		return fib.Event{Kind: fib.ObjectEvent, Deleted: m.kind == unix.RTM_DELNEXTHOP, Object: o.ID}, ok
	}
	return e, false
}

// tableEvent reads one nftables event. ok is false if it is not about nvad's table, whose
// name is the first attribute in messages about objects of any kind.
func tableEvent(m message) (e fib.Event, ok bool) {
	attrs(m.body[min(nfgenmsg, len(m.body)):], func(kind uint16, value []byte) {
		ok = ok || kind == unix.NFTA_TABLE_NAME && unix.ByteSliceToString(value) == nat.Table
	})
	return fib.Event{Kind: fib.NATEvent}, ok
}
