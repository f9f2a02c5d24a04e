// Package wireguard encrypts in this process where the kernel has no WireGuard: it runs
// golang.zx2c4.com/wireguard over a TUN device.
//
// The caller makes the TUN device and hands over its open file; the device, its addresses and
// routes through it outlast the process, if the caller makes it persistent. Keys and peers do
// not: a restart needs a new handshake, and loses what is sent until then.
//
// [Changes] says what of a device is to change, for the kernel's WireGuard too. It leaves out
// what is right already, because giving a key or a port again costs sessions or sockets.
//
// [Devices] belongs to one goroutine. Each device has goroutines of its own, which the library
// starts and Close ends. The package knows no netlink, and decides nothing.
package wireguard

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"github.com/nvad/nvad/pkg/tunnel"
)

// Devices are the WireGuard devices that this process runs.
type Devices struct {
	bind func() conn.Bind
	list map[string]*running
}

// running is a device and its end of the TUN device.
type running struct {
	device *device.Device
	tun    *link
	up     bool
}

// New returns an empty set of devices. They open their sockets within a call of enter, which can
// change the network namespace; nil: in the namespace of the process.
func New(enter func(func() error) error) *Devices {
	d := &Devices{bind: conn.NewDefaultBind, list: make(map[string]*running)}
	if enter != nil {
		d.bind = func() conn.Bind { return entering{conn.NewDefaultBind(), enter} }
	}
	return d
}

// entering opens sockets within enter.
type entering struct {
	conn.Bind
	enter func(func() error) error
}

// Open implements conn.Bind.
func (b entering) Open(port uint16) (fns []conn.ReceiveFunc, actual uint16, err error) {
	err = b.enter(func() (err error) {
		fns, actual, err = b.Bind.Open(port)
		return err
	})
	return fns, actual, err
}

// link is a TUN device that learns its MTU from the caller, and has no other events. The
// library would ask the kernel, in whatever namespace its goroutine is.
type link struct {
	tun.Device
	mtu    atomic.Int64
	events chan tun.Event
}

// MTU implements tun.Device.
func (l *link) MTU() (int, error) { return int(l.mtu.Load()), nil }

// Events implements tun.Device.
func (l *link) Events() <-chan tun.Event { return l.events }

// Close implements tun.Device.
func (l *link) Close() error {
	close(l.events)
	return l.Device.Close()
}

// Runs reports whether this process runs the device: one that has stopped, because its TUN
// device vanished, does not run.
func (d *Devices) Runs(name string) bool {
	r := d.list[name]
	if r == nil {
		return false
	}
	select {
	case <-r.device.Wait():
		delete(d.list, name)
		return false
	default:
		return true
	}
}

// Start runs a device over the TUN device whose file is fd, and takes the file over. The device
// has no keys yet. If a device of that name runs, its TUN device has vanished, and it has yet
// to notice: the new one takes its place.
func (d *Devices) Start(name string, fd, mtu int) error {
	d.Stop(name)
	t, _, err := tun.CreateUnmonitoredTUNFromFD(fd)
	if err != nil {
		return fmt.Errorf("%s: TUN device: %w", name, err)
	}
	l := &link{Device: t, events: make(chan tun.Event, 1)}
	l.mtu.Store(int64(mtu))
	quiet := &device.Logger{Verbosef: device.DiscardLogf, Errorf: device.DiscardLogf} // its state says all, and a peer could flood the log
	d.list[name] = &running{device: device.NewDevice(l, d.bind(), quiet), tun: l}
	return nil
}

// Stop ends a device. The TUN device stays if it is persistent.
func (d *Devices) Stop(name string) {
	if r := d.list[name]; r != nil {
		r.device.Close()
		delete(d.list, name)
	}
}

// Close ends all devices.
func (d *Devices) Close() {
	for name := range d.list {
		d.Stop(name)
	}
}

// SetMTU says what the MTU of a device is. Packets are padded up to it.
func (d *Devices) SetMTU(name string, mtu int) {
	if r := d.list[name]; r != nil && r.tun.mtu.Swap(int64(mtu)) != int64(mtu) && d.Runs(name) {
		select {
		case r.tun.events <- tun.EventMTUUpdate:
		default: // the device has yet to look, and will find the latest
		}
	}
}

// Read returns the state of a device.
func (d *Devices) Read(name string) (tunnel.Device, error) {
	if !d.Runs(name) {
		return tunnel.Device{Userspace: true}, nil
	}
	text, err := d.list[name].device.IpcGet()
	if err != nil {
		return tunnel.Device{}, fmt.Errorf("%s: %w", name, err)
	}
	out, err := parse(text)
	out.Userspace = true
	return out, err
}

// Set gives a device its keys and its only peer, and starts to talk to it.
func (d *Devices) Set(name string, want tunnel.WireGuard) error {
	have, err := d.Read(name)
	if err != nil {
		return err
	}
	if !d.Runs(name) {
		return fmt.Errorf("%s does not run", name)
	}
	r := d.list[name]
	if err := r.device.IpcSet(text(Changes(have, want))); err != nil {
		return fmt.Errorf("%s: %w", name, cause(err))
	}
	if err := r.device.Up(); err != nil {
		return fmt.Errorf("%s: %w", name, cause(err))
	}
	return nil
}

// cause leaves out what the library says of the line that failed.
func cause(err error) error {
	var ipc *device.IPCError
	if errors.As(err, &ipc) && ipc.Unwrap() != nil {
		return ipc.Unwrap()
	}
	return err
}

// Change says what to change of a device.
type Change struct {
	Private *tunnel.Secret // nil: it stays
	Port    *uint16        // nil: it stays
	NoMark  bool
	Remove  []tunnel.Key // peers
	Peer    tunnel.Peer  // with all addresses allowed; an invalid Endpoint stays
	Allowed []netip.Prefix
}

// Changes returns what to change of a device, so that it becomes as wanted and keeps every
// session that can stay.
func Changes(have tunnel.Device, want tunnel.WireGuard) Change {
	c := Change{Peer: want.Peer, Allowed: tunnel.Everything(), NoMark: have.Mark != 0}
	if !have.Private.Equal(want.Private) {
		c.Private = &want.Private
	}
	if want.Port != 0 && have.Port != want.Port {
		c.Port = &want.Port
	}
	known := false
	for _, p := range have.Peers {
		if p.Public != want.Peer.Public {
			c.Remove = append(c.Remove, p.Public)
		} else {
			known = p.Endpoint.IsValid()
		}
	}
	if !known && !c.Peer.Endpoint.IsValid() {
		c.Peer.Endpoint = want.Last
	}
	return c
}
