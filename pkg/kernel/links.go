package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/wgctrl"

	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/wireguard"
)

// init makes the library's errors include the kernel's explanation (the extended
// acknowledgement), as nvad's [Error] does. The library asks for it only if it opens a
// socket for the request, so nvad uses no netlink.Handle.
func init() { nl.EnableErrorMessageReporting = true }

// Tunnels reads the links of a namespace and changes tunnel devices. It implements
// tunnel.Kernel for one goroutine.
type Tunnels struct {
	ns   Namespace
	s    *socket            // for what the library lacks
	keys *wgctrl.Client     // of the kernel's WireGuard; nil: not opened yet
	user *wireguard.Devices // of this process, where the kernel has no WireGuard
}

func newTunnels(ns Namespace, s *socket) *Tunnels {
	t := &Tunnels{ns: ns, s: s}
	if ns.fd == 0 {
		t.user = wireguard.New(nil)
	} else {
		t.user = wireguard.New(ns.do)
	}
	return t
}

// close ends WireGuard in this process. Its devices stay, as everything of the kernel's does.
func (t *Tunnels) close() error {
	t.forgetKeys()
	t.user.Close()
	return t.s.close()
}

// Links implements tunnel.Kernel.
func (t *Tunnels) Links() ([]tunnel.Link, error) {
	links, kinds, err := readKinds(t.ns)
	if err != nil {
		return nil, err
	}
	addresses, err := readAddresses(t.ns)
	if err != nil {
		return nil, err
	}
	for i := range links {
		l := &links[i]
		l.Addresses = addresses[l.Index]
		err := t.ns.do(func() error {
			t.readWireGuard(l, kinds[i])
			return nil
		})
		if err != nil {
			return nil, err
		}
		if l.VXLAN == nil {
			continue
		}
		if l.FDB, err = t.remotes(l.Index); err != nil {
			return nil, fmt.Errorf("read forwarding entries of %s: %w", l.Name, err)
		}
	}
	return links, nil
}

// Traffic returns the counters of the named links; those that do not exist are left out.
// It shares no socket, so that a metrics scrape waits for nobody.
func Traffic(ns Namespace, names []string) (map[string]tunnel.Stats, error) {
	links, err := readLinks(ns)
	out := make(map[string]tunnel.Stats, len(names))
	for _, l := range links {
		if slices.Contains(names, l.Name) {
			out[l.Name] = l.Stats
		}
	}
	return out, err
}

// whole calls read in a namespace, and again if a change tore the dump.
func whole[T any](ns Namespace, read func() ([]T, error)) (list []T, err error) {
	for range attempts {
		err = ns.do(func() (err error) {
			list, err = read()
			return err
		})
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return list, err
		}
	}
	return nil, errTorn
}

// readLinks reads all links, without their addresses, forwarding entries and peers.
func readLinks(ns Namespace) ([]tunnel.Link, error) {
	list, _, err := readKinds(ns)
	return list, err
}

// readKinds is readLinks with the type of each link.
func readKinds(ns Namespace) (list []tunnel.Link, kinds []string, err error) {
	found, err := whole(ns, netlink.LinkList)
	if err != nil {
		return nil, nil, fmt.Errorf("read links: %w", err)
	}
	for _, f := range found {
		list, kinds = append(list, linkOf(f)), append(kinds, f.Type())
	}
	return list, kinds, nil
}

func linkOf(f netlink.Link) tunnel.Link {
	a := f.Attrs()
	l := tunnel.Link{
		Index: a.Index, Name: a.Name, MTU: a.MTU, MAC: a.HardwareAddr, Alias: a.Alias,
		Up: a.RawFlags&unix.IFF_UP != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0,
	}
	if s := a.Statistics; s != nil {
		l.Stats = tunnel.Stats{
			RxPackets: s.RxPackets, TxPackets: s.TxPackets, RxBytes: s.RxBytes, TxBytes: s.TxBytes,
			RxErrors: s.RxErrors, TxErrors: s.TxErrors, RxDropped: s.RxDropped, TxDropped: s.TxDropped,
		}
	}
	if v, ok := f.(*netlink.Vxlan); ok {
		l.VXLAN = &tunnel.VXLAN{
			VNI: uint32(v.VxlanId), Device: v.VtepDevIndex, Local: specified(v.SrcAddr), Remote: specified(v.Group),
			Port: uint16(v.Port), PortLow: uint16(v.PortLow), PortHigh: uint16(v.PortHigh),
			TTL: uint8(v.TTL), Learning: v.Learning,
		}
	}
	return l
}

// specified returns an IPv4 or IPv6 address; invalid if there is none or it is unspecified.
func specified(ip []byte) netip.Addr {
	if a, ok := netip.AddrFromSlice(ip); ok && !a.IsUnspecified() {
		return a
	}
	return netip.Addr{}
}

// readAddresses reads the addresses of all links, by link index. It leaves out temporary
// addresses of IPv6 (RFC 8981), which come and go by themselves.
func readAddresses(ns Namespace) (map[int][]netip.Prefix, error) {
	found, err := whole(ns, func() ([]netlink.Addr, error) { return netlink.AddrList(nil, unix.AF_UNSPEC) })
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	of := make(map[int][]netip.Prefix)
	for _, f := range found {
		if f.IPNet == nil {
			continue
		}
		a, ok := netip.AddrFromSlice(f.IP)
		bits, _ := f.Mask.Size()
		if temporary := a.Is6() && f.Flags&unix.IFA_F_TEMPORARY != 0; ok && !temporary {
			of[f.LinkIndex] = append(of[f.LinkIndex], netip.PrefixFrom(a, bits))
		}
	}
	return of, nil
}
