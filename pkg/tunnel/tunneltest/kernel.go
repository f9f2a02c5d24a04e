// Package tunneltest is a kernel in memory for tests of what uses package
// tunnel.
package tunneltest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/tunnel"
)

// Kernel implements tunnel.Kernel. The zero value has no links.
type Kernel struct {
	// Log is every operation asked for, as text, failed ones included.
	Log []string
	// PortRange returns Low and High.
	Low, High uint16
	// Paths has the answers of Path, by remote.
	Paths map[netip.Addr]tunnel.Path
	// NoWireGuard makes new WireGuard devices ones of this process.
	NoWireGuard bool

	links []tunnel.Link
	next  int
	fail  map[string]error
}

// FailNext makes the next call of that name fail: "Links", or an operation as it
// stands in [Kernel.Log].
func (k *Kernel) FailNext(name string, err error) {
	if k.fail == nil {
		k.fail = make(map[string]error)
	}
	k.fail[name] = err
}

// Plant adds a link as another program would, and gives it an index if it has
// none.
func (k *Kernel) Plant(l tunnel.Link) {
	if l.Index == 0 {
		k.next++
		l.Index = k.next
	}
	k.links = append(k.links, l)
}

// Uproot deletes a link as another program would.
func (k *Kernel) Uproot(name string) {
	k.links = slices.DeleteFunc(k.links, func(l tunnel.Link) bool { return l.Name == name })
}

// Change changes a link as another program would.
func (k *Kernel) Change(name string, change func(*tunnel.Link)) { change(k.link(name)) }

// Links implements tunnel.Kernel.
func (k *Kernel) Links() ([]tunnel.Link, error) {
	if err := k.failing("Links"); err != nil {
		return nil, err
	}
	list := slices.Clone(k.links)
	for i := range list {
		list[i].Addresses = slices.Clone(list[i].Addresses)
		list[i].FDB = slices.Clone(list[i].FDB)
		if d := list[i].WireGuard; d != nil {
			copied := *d
			copied.Peers = slices.Clone(d.Peers)
			list[i].WireGuard = &copied
		}
	}
	return list, nil
}

// PortRange implements tunnel.Kernel.
func (k *Kernel) PortRange() (low, high uint16, err error) { return k.Low, k.High, nil }

// Path implements tunnel.Kernel.
func (k *Kernel) Path(remote netip.Addr) (tunnel.Path, error) { return k.Paths[remote], nil }

// Do implements tunnel.Kernel.
func (k *Kernel) Do(op tunnel.Op) error {
	k.Log = append(k.Log, op.String())
	if err := k.failing(op.String()); err != nil {
		return err
	}
	l := k.link(op.Name)
	if op.Kind == tunnel.Create || op.Kind == tunnel.CreateWireGuard {
		return k.create(op, l)
	}
	if l == nil {
		if op.Kind == tunnel.Delete {
			return nil
		}
		return errors.New("no such device")
	}
	k.change(op, l)
	return nil
}

func (k *Kernel) create(op tunnel.Op, old *tunnel.Link) error {
	if old != nil {
		return errors.New("file exists")
	}
	l := tunnel.Link{Index: op.Index, Name: op.Name, MTU: op.MTU, MAC: op.MAC}
	if op.Kind == tunnel.CreateWireGuard {
		l.WireGuard = &tunnel.Device{Userspace: k.NoWireGuard, Port: 40000}
		k.Plant(l)
		return nil
	}
	v := op.VXLAN
	l.VXLAN = &v
	if v.Remote.IsValid() {
		l.FDB = []tunnel.Remote{{Addr: v.Remote, Device: v.Device}}
	}
	k.Plant(l)
	return nil
}

func (k *Kernel) change(op tunnel.Op, l *tunnel.Link) {
	switch op.Kind {
	case tunnel.Delete:
		k.Uproot(op.Name)
	case tunnel.SetVXLAN:
		v := op.VXLAN
		l.VXLAN = &v
		if v.Remote.IsValid() {
			l.FDB = []tunnel.Remote{{Addr: v.Remote, Device: v.Device}}
		}
	case tunnel.SetWireGuard:
		configure(l.WireGuard, op.WireGuard)
	case tunnel.SetAlias:
		l.Alias = tunnel.Alias
	case tunnel.SetMTU:
		l.MTU = op.MTU
	case tunnel.SetMAC:
		l.MAC = op.MAC
	case tunnel.SetUp:
		l.Up, l.Carrier = true, true
	case tunnel.AddAddress:
		l.Addresses = append(l.Addresses, op.Address)
	case tunnel.DeleteAddress:
		l.Addresses = slices.DeleteFunc(l.Addresses, func(p netip.Prefix) bool { return p == op.Address })
	case tunnel.AddRemote:
		if op.Remote.MAC != [6]byte{} {
			l.FDB = slices.DeleteFunc(l.FDB, func(r tunnel.Remote) bool { return r.MAC == op.Remote.MAC })
		}
		l.FDB = append(l.FDB, op.Remote)
	case tunnel.DeleteRemote:
		l.FDB = slices.DeleteFunc(l.FDB, func(r tunnel.Remote) bool { return r == op.Remote })
	}
}

// configure changes a WireGuard device. A peer that stays keeps its session.
func configure(d *tunnel.Device, w tunnel.WireGuard) {
	kept := tunnel.PeerState{}
	for _, p := range d.Peers {
		if p.Public == w.Peer.Public && d.Private == w.Private {
			kept = p
		}
	}
	end := kept.Endpoint
	if kept.Peer = w.Peer; !w.Peer.Endpoint.IsValid() {
		if kept.Endpoint = end; !end.IsValid() {
			kept.Endpoint = w.Last
		}
	}
	kept.AllowedIPs = tunnel.Everything()
	d.Private, d.Mark, d.Peers = w.Private, 0, []tunnel.PeerState{kept}
	if w.Port != 0 {
		d.Port = w.Port
	}
}

func (k *Kernel) link(name string) *tunnel.Link {
	for i := range k.links {
		if k.links[i].Name == name {
			return &k.links[i]
		}
	}
	return nil
}

func (k *Kernel) failing(name string) error {
	err := k.fail[name]
	delete(k.fail, name)
	return err
}

func byAddress(a, b tunnel.Remote) int {
	return cmp.Or(a.Addr.Compare(b.Addr), bytes.Compare(a.MAC[:], b.MAC[:]))
}

// String prints the links, one a line, without their indexes.
func (k *Kernel) String() string {
	var lines []string
	for _, l := range k.links {
		s := fmt.Sprintf("%s mtu %d up %t", l.Name, l.MTU, l.Up)
		if l.Alias != "" {
			s += " alias " + l.Alias
		}
		for _, a := range slices.SortedFunc(slices.Values(l.Addresses), func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) }) {
			s += " " + a.String()
		}
		if v := l.VXLAN; v != nil {
			s += fmt.Sprintf(" mac %s vni %d port %d", l.MAC, v.VNI, v.Port)
			for _, r := range slices.SortedFunc(slices.Values(l.FDB), byAddress) {
				s += " to "
				if r.MAC != [6]byte{} {
					s += net.HardwareAddr(r.MAC[:]).String() + " at "
				}
				s += r.Addr.String()
			}
		}
		if d := l.WireGuard; d != nil {
			s += fmt.Sprintf(" wireguard %s port %d", d.Private.Public(), d.Port)
			for _, p := range d.Peers {
				s += fmt.Sprintf(" peer %s at %s keepalive %s allowed %s", p.Public, p.Endpoint, p.Keepalive, p.AllowedIPs)
			}
		}
		lines = append(lines, s+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
