package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/tunnel"
)

// forward adds or deletes a forwarding entry: the all-zeros address stands for
// every unknown destination (drivers/net/vxlan). The kernel tells entries apart by
// the outer link too, which netlink's Neigh has no field for.
func (t *Tunnels) forward(op tunnel.Op, kind, flags uint16) error {
	return t.s.batch(1, func(b []byte, _ int, seq uint32) []byte {
		b, start := header(b, kind, flags|unix.NLM_F_ACK, seq)
		b = ndmsg(b, op.Index, unix.NUD_PERMANENT|unix.NUD_NOARP, unix.NTF_SELF)
		b = attr(b, unix.NDA_LLADDR, op.Remote.MAC[:])
		b = attr(b, unix.NDA_DST, op.Remote.Addr.AsSlice())
		if op.Remote.Device != 0 {
			b = attr32(b, unix.NDA_IFINDEX, uint32(op.Remote.Device))
		}
		finish(b, start)
		return b
	})[0]
}

// ndmsg appends a struct ndmsg of the bridge family.
func ndmsg(b []byte, index int, state uint16, flags byte) []byte {
	b = append(b, unix.AF_BRIDGE, 0, 0, 0)
	b = order.AppendUint32(b, uint32(index))
	b = order.AppendUint16(b, state)
	return append(b, flags, 0)
}

// remotes reads the forwarding entries of a device.
func (t *Tunnels) remotes(index int) ([]tunnel.Remote, error) {
	var list []tunnel.Remote
	encode := func(b []byte, seq uint32) []byte {
		b, start := header(b, unix.RTM_GETNEIGH, unix.NLM_F_DUMP, seq)
		b = ndmsg(b, index, 0, 0)
		finish(b, start)
		return b
	}
	err := t.s.dump(encode, func(m message) {
		if r, ok := decodeRemote(m.body, index); ok && m.kind == unix.RTM_NEWNEIGH {
			list = append(list, r)
		}
	}, func() { list = nil })
	return list, err
}

// decodeRemote reads a forwarding entry. ok is false unless it is one of the device
// that leads to a remote.
func decodeRemote(body []byte, index int) (r tunnel.Remote, ok bool) {
	if len(body) < unix.SizeofNdMsg || int(order.Uint32(body[4:])) != index {
		return r, false
	}
	r.Learned = order.Uint16(body[8:])&(unix.NUD_PERMANENT|unix.NUD_NOARP) == 0
	attrs(body[unix.SizeofNdMsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.NDA_LLADDR:
			if ok = len(v) == len(r.MAC); ok {
				r.MAC = [6]byte(v)
			}
		case unix.NDA_DST:
			r.Addr, _ = netip.AddrFromSlice(v)
		case unix.NDA_IFINDEX:
			r.Device = int(u32(v))
		}
	})
	return r, ok && r.Addr.IsValid()
}
