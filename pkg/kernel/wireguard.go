package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/wireguard"
)

// createWireGuard makes a device of the kernel, or where the kernel has no WireGuard, one of
// this process.
func (t *Tunnels) createWireGuard(op tunnel.Op) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index, attrs.MTU = op.Name, op.Index, op.MTU
	err := netlink.LinkAdd(&netlink.Wireguard{LinkAttrs: attrs})
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	return t.attach(op.Name, op.MTU, true)
}

// tunPath is where TUN devices are made.
const tunPath = "/dev/net/tun"

// attach opens a TUN device, makes it if it is missing, and runs WireGuard over it. The device
// outlasts this process, so that routes through it do. It gets its alias first: if nvad crashes
// in between, nothing is left that nvad would not recognise.
func (t *Tunnels) attach(name string, mtu int, fresh bool) error {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("the kernel has no WireGuard, and nvad can't encrypt itself: %s: %w "+
			"(install the kernel's module, or allow nvad %s with the drop-in in docs/wireguard.md)", tunPath, err, tunPath)
	}
	if err := t.adopt(fd, name, fresh); err != nil {
		unix.Close(fd)
		return err
	}
	if !fresh {
		link, err := netlink.LinkByName(name)
		if err != nil {
			unix.Close(fd)
			return err
		}
		mtu = link.Attrs().MTU
	} else if err := netlink.LinkSetMTU(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: name}}, mtu); err != nil {
		unix.Close(fd)
		return err
	}
	return t.user.Start(name, fd, mtu)
}

// adopt binds the file to the TUN device.
func (t *Tunnels) adopt(fd int, name string, fresh bool) error {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	// With these flags the kernel passes large segments whole (IFF_VNET_HDR).
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return fmt.Errorf("TUN device: %w", err)
	}
	if !fresh {
		return nil
	}
	if err := netlink.LinkSetAlias(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: name}}, tunnel.Alias); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
}

// setWireGuard gives a device its keys and its peer.
func (t *Tunnels) setWireGuard(op tunnel.Op) error {
	found, err := netlink.LinkByName(op.Name)
	if err != nil {
		return err
	}
	if found.Type() == tunType {
		if !t.user.Runs(op.Name) { // an earlier process made it
			if err := t.attach(op.Name, 0, false); err != nil {
				return err
			}
		}
		return t.user.Set(op.Name, op.WireGuard)
	}
	have, err := t.wireguard(op.Name)
	if err != nil {
		return err
	}
	if t.keys == nil {
		return errNoKeys
	}
	return t.keys.ConfigureDevice(op.Name, wireConfig(wireguard.Changes(have, op.WireGuard)))
}

// tunType is the library's name for the type of TUN devices.
const tunType = "tuntap"

var errNoKeys = errors.New("the kernel's WireGuard does not answer")

// wireConfig is a change in the form of the kernel's interface.
func wireConfig(c wireguard.Change) (out wgtypes.Config) {
	if c.Private != nil {
		k := wgtypes.Key(c.Private.Octets())
		out.PrivateKey = &k
	}
	if c.Port != nil {
		n := int(*c.Port)
		out.ListenPort = &n
	}
	if c.NoMark {
		out.FirewallMark = new(int)
	}
	for _, k := range c.Remove {
		out.Peers = append(out.Peers, wgtypes.PeerConfig{PublicKey: wgtypes.Key(k), Remove: true})
	}
	psk, keepalive := wgtypes.Key(c.Peer.Preshared.Octets()), c.Peer.Keepalive
	p := wgtypes.PeerConfig{
		PublicKey: wgtypes.Key(c.Peer.Public), PresharedKey: &psk, PersistentKeepaliveInterval: &keepalive, ReplaceAllowedIPs: true,
	}
	if c.Peer.Endpoint.IsValid() {
		p.Endpoint = net.UDPAddrFromAddrPort(c.Peer.Endpoint)
	}
	for _, a := range c.Allowed {
		p.AllowedIPs = append(p.AllowedIPs, net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())})
	}
	out.Peers = append(out.Peers, p)
	return out
}

// readWireGuard adds keys and peers to a link, if it is a WireGuard device of the kernel, or one
// of nvad's own. A device that can't be read counts as one without keys, so that it holds up no
// other link: giving it keys will say what is wrong.
func (t *Tunnels) readWireGuard(l *tunnel.Link, kind string) {
	var d tunnel.Device
	switch {
	case kind == "wireguard":
		d, _ = t.wireguard(l.Name)
	case kind == tunType && (t.user.Runs(l.Name) || l.Alias == tunnel.Alias):
		d, _ = t.user.Read(l.Name)
	default:
		return
	}
	l.WireGuard = &d
}

// wireguard reads a device of the kernel. If it vanished meanwhile, that is no error.
func (t *Tunnels) wireguard(name string) (tunnel.Device, error) {
	d, err := t.askWireGuard(name)
	if vanished(err) {
		// Perhaps the module was loaded after the socket was opened.
		t.forgetKeys()
		d, err = t.askWireGuard(name)
	}
	if vanished(err) {
		return tunnel.Device{}, nil
	}
	if err != nil {
		return tunnel.Device{}, fmt.Errorf("read WireGuard device %s: %w", name, err)
	}
	return deviceOf(d), nil
}

// vanished reports whether an error says that there is no such device.
func vanished(err error) bool { return errors.Is(err, unix.ENODEV) || errors.Is(err, fs.ErrNotExist) }

func (t *Tunnels) askWireGuard(name string) (*wgtypes.Device, error) {
	if t.keys == nil {
		c, err := wgctrl.New()
		if err != nil {
			return nil, err
		}
		t.keys = c
	}
	return t.keys.Device(name)
}

func (t *Tunnels) forgetKeys() {
	if t.keys != nil {
		t.keys.Close()
		t.keys = nil
	}
}

func deviceOf(d *wgtypes.Device) tunnel.Device {
	out := tunnel.Device{Private: tunnel.NewPrivate(d.PrivateKey), Port: uint16(d.ListenPort), Mark: uint32(d.FirewallMark)}
	for _, p := range d.Peers {
		s := tunnel.PeerState{
			Peer: tunnel.Peer{
				Public: tunnel.Key(p.PublicKey), Preshared: tunnel.NewShared(p.PresharedKey), Keepalive: p.PersistentKeepaliveInterval,
			},
			LastHandshake: p.LastHandshakeTime, RxBytes: uint64(p.ReceiveBytes), TxBytes: uint64(p.TransmitBytes),
		}
		if p.Endpoint != nil {
			end := p.Endpoint.AddrPort()
			s.Endpoint = netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
		}
		if s.LastHandshake.Equal(time.Unix(0, 0)) {
			s.LastHandshake = time.Time{}
		}
		for _, a := range p.AllowedIPs {
			addr, _ := netip.AddrFromSlice(a.IP)
			bits, _ := a.Mask.Size()
			s.AllowedIPs = append(s.AllowedIPs, netip.PrefixFrom(addr, bits))
		}
		out.Peers = append(out.Peers, s)
	}
	return out
}
