package tunnel

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/retry"
)

// Manager compares the wanted tunnels with the kernel's. It belongs to one goroutine.
type Manager struct {
	kernel  Kernel
	wanted  []Tunnel
	links   []Link
	state   map[string]*state
	remains *retry.State // unwanted devices that could not be deleted
	changed bool         // an operation was tried since the links were read
	repairs []Repair
}

// state is the manager's memory of one tunnel.
type state struct {
	retry.Progress
	index  int       // of its last link
	narrow string    // why large packets do not get through
	since  time.Time // when its device with this peer was first seen; of WireGuard
	stamp  time.Time // of its peer's last handshake, by the time of day; of WireGuard
	heard  time.Time // when that was, by nvad's own clock; of WireGuard
	silent string    // why its peer counts as dead; of WireGuard
	moved  bool      // the wanted endpoint of the peer changed; of WireGuard
}

// errForeign says that another program's link has the name of a wanted tunnel.
var errForeign = errors.New("a link of this name exists and is not nvad's")

// New returns a manager that wants no tunnels.
func New(k Kernel) *Manager { return &Manager{kernel: k, state: make(map[string]*state)} }

// SetWanted replaces the wanted tunnels. Names are unique. A tunnel that is to change counts as
// not built, so that the change is no repair.
func (m *Manager) SetWanted(list []Tunnel) {
	old, before := m.state, m.wanted
	m.wanted = slices.Clone(list)
	m.state = make(map[string]*state)
	for _, t := range list {
		m.state[t.Name] = &state{}
		if s := old[t.Name]; s != nil {
			same := slices.ContainsFunc(before, func(b Tunnel) bool { return reflect.DeepEqual(b, t) })
			m.state[t.Name].inherit(s, same)
			m.state[t.Name].moved = s.moved || t.moved(before)
		}
	}
}

// inherit takes over what stays true of a tunnel; same says that nothing about it changes.
func (s *state) inherit(old *state, same bool) {
	s.index, s.stamp, s.heard = old.index, old.stamp, old.heard
	if same {
		s.Built, s.since, s.silent = old.Built, old.since, old.silent
	}
}

// Sync reads the links and brings every tunnel as close to what is wanted as possible. It returns
// when to try again what failed; zero: nothing did.
func (m *Manager) Sync(now time.Time) (next time.Time, err error) {
	if err := m.read(); err != nil {
		return now.Add(retry.First), err
	}
	low, high, err := m.kernel.PortRange()
	if err != nil {
		return now.Add(retry.First), fmt.Errorf("local port range: %w", err)
	}
	m.changed = false
	if m.remains.Due(now) {
		m.remains = m.remains.After(m.removeUnwanted(), now)
	}
	next = m.remains.Earlier(next)
	for i := range m.wanted {
		t := &m.wanted[i]
		s := m.state[t.Name]
		if s.Due(now) {
			s.Settle(m.build(t, s, source{low, high}, now), now)
		}
		next = s.Failure.Earlier(next)
	}
	if m.changed {
		err = m.read()
	}
	for i := range m.wanted {
		t := &m.wanted[i]
		m.checkPaths(t, m.state[t.Name])
		if t.WireGuard != nil {
			m.checkPeer(t, m.state[t.Name], now)
			next = earlier(next, now.Add(poll))
		}
	}
	return next, err
}

// poll is the time between two looks at WireGuard devices. The kernel gives no events when
// their peers change, or when a peer makes a handshake.
const poll = time.Second

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// checkPeer records whether the peer of a WireGuard tunnel counts as dead.
func (m *Manager) checkPeer(t *Tunnel, s *state, now time.Time) {
	if l := m.link(t.Name); l != nil {
		s.silent = s.silence(t.WireGuard, l.WireGuard.peer(t.WireGuard.Peer.Public), now)
	}
}

// Kick makes everything that failed due at once, because a link changed.
func (m *Manager) Kick() {
	for _, s := range m.state {
		s.Kick()
	}
}

func (m *Manager) read() error {
	links, err := m.kernel.Links()
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	m.links = links
	return nil
}

// removeUnwanted deletes nvad's devices that are not wanted. It comes before building, because
// the kernel allows only one device with a VNI and port.
func (m *Manager) removeUnwanted() error {
	var errs []error
	for _, l := range m.links {
		if l.Own() && m.state[l.Name] == nil {
			errs = append(errs, m.do(Op{Kind: Delete, Name: l.Name, Index: l.Index}))
		}
	}
	return errors.Join(errs...)
}

// source is the namespace's range of local ports.
type source struct{ low, high uint16 }

// build brings one tunnel to what is wanted.
func (m *Manager) build(t *Tunnel, s *state, ports source, now time.Time) error {
	if t.WireGuard != nil {
		return m.buildWireGuard(t, s, now)
	}
	return m.buildVXLAN(t, s, ports)
}

func (m *Manager) buildVXLAN(t *Tunnel, s *state, ports source) error {
	underlay, err := m.underlay(t)
	if err != nil {
		return err
	}
	macs := t.macs(underlay)
	if len(macs) == 0 {
		return retry.Waiting("an address on " + underlay.Name)
	}
	want := t.vxlan(underlay, ports.low, ports.high)
	l := m.link(t.Name)
	if l != nil {
		if l, err = m.adopt(l, want); err != nil {
			return err
		}
	}
	fresh := l == nil
	if fresh {
		op := Op{Kind: Create, Name: t.Name, VXLAN: want, MTU: t.mtu(underlay), MAC: macs[0]}
		if l, err = m.createDevice(s, op); err != nil {
			return err
		}
	}
	if s.Built && fresh {
		m.repaired(t, t.Name+" was gone")
	}
	s.index = l.Index
	remotes := t.remotes(want.Device)
	excess := slices.DeleteFunc(without(l.FDB, remotes), t.tolerates)
	return m.dress(t, s, l, look{macs, t.mtu(underlay), remotes, excess}, fresh)
}

// underlay finds the link that a tunnel runs over.
func (m *Manager) underlay(t *Tunnel) (Link, error) {
	for _, l := range m.links {
		if t.Device != "" && l.Name == t.Device {
			return l, nil
		}
		holds := func(p netip.Prefix) bool { return p.Addr() == t.Local }
		if t.Device == "" && slices.ContainsFunc(l.Addresses, holds) {
			return l, nil
		}
	}
	if t.Device != "" {
		return Link{}, retry.Waiting("link " + t.Device)
	}
	return Link{}, retry.Waiting("address " + t.Local.String())
}

func (m *Manager) link(name string) *Link {
	for i := range m.links {
		if m.links[i].Name == name {
			return &m.links[i]
		}
	}
	return nil
}

// adopt decides what happens to a link that already has the tunnel's name. It returns the link
// with the wanted attributes, or nil if a new one must be created. Say nvad restarts with
// the same file: the device has all attributes and stays, with the packets in it. If only the
// remote changed, that changes in place. If the VNI changed, the kernel can't do that,
// and nvad deletes its device. Another program's device is taken over only if nothing
// about it has to change.
func (m *Manager) adopt(l *Link, want VXLAN) (*Link, error) {
	switch {
	case l.VXLAN != nil && *l.VXLAN == want && l.Own():
		return l, nil
	case l.VXLAN != nil && *l.VXLAN == want:
		return l, m.do(Op{Kind: SetAlias, Name: l.Name, Index: l.Index})
	case !l.Own():
		return nil, errForeign
	case l.VXLAN != nil && sameFixed(*l.VXLAN, want) && m.do(Op{Kind: SetVXLAN, Name: l.Name, Index: l.Index, VXLAN: want}) == nil:
		// The kernel moved the default forwarding entry along with the remote.
		return m.reread(l.Name)
	}
	return nil, m.do(Op{Kind: Delete, Name: l.Name, Index: l.Index})
}

// createDevice makes the device, down, and marks it as nvad's. It asks for the index that
// the device had before: then the next hops of routes through it are still valid, and the
// routes can be written again at once.
func (m *Manager) createDevice(s *state, op Op) (*Link, error) {
	op.Index = s.index
	err := m.do(op)
	if err != nil && op.Index != 0 {
		op.Index = 0
		err = m.do(op)
	}
	if err != nil {
		return nil, err
	}
	l, err := m.reread(op.Name)
	if err != nil {
		return nil, err
	}
	s.index = l.Index
	return l, m.do(Op{Kind: SetAlias, Name: l.Name, Index: l.Index})
}

func (m *Manager) reread(name string) (*Link, error) {
	if err := m.read(); err != nil {
		return nil, err
	}
	if l := m.link(name); l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("%s: vanished", name)
}

// look has the properties of a device, besides its attributes, that can be changed in place.
type look struct {
	macs    []net.HardwareAddr // any of them will do; none: the device has no MAC address
	mtu     int
	remotes []Remote
	excess  []Remote // forwarding entries to delete
}

// dress changes in place what differs from what is wanted, and announces addresses that are new
// on the wire.
func (m *Manager) dress(t *Tunnel, s *state, l *Link, want look, fresh bool) error {
	var ops []Op
	created := fresh // and that was the repair
	add := func(op Op) {
		op.Name, op.Index = l.Name, l.Index
		ops = append(ops, op)
	}
	if l.MTU != want.mtu {
		add(Op{Kind: SetMTU, MTU: want.mtu})
	}
	hw := l.MAC
	ethernet := len(want.macs) > 0
	if ethernet && !slices.ContainsFunc(want.macs, func(a net.HardwareAddr) bool { return bytes.Equal(a, hw) }) {
		hw = want.macs[0]
		add(Op{Kind: SetMAC, MAC: hw})
		fresh = true
	}
	have := owned(*l)
	for _, a := range without(t.Addresses, l.Addresses) {
		add(Op{Kind: AddAddress, Address: a})
	}
	for _, a := range without(have, t.Addresses) {
		add(Op{Kind: DeleteAddress, Address: a})
	}
	for _, r := range without(want.remotes, l.FDB) {
		add(Op{Kind: AddRemote, Remote: r})
	}
	for _, r := range want.excess {
		add(Op{Kind: DeleteRemote, Remote: r})
	}
	if !l.Up {
		add(Op{Kind: SetUp})
		fresh = true
	}
	if s.Built && !created && l.Alias == Alias && len(ops) > 0 {
		m.repaired(t, ops[0].String())
	}
	for _, a := range t.Addresses {
		if ethernet && (fresh || !slices.Contains(l.Addresses, a)) {
			add(Op{Kind: Announce, Address: a, MAC: hw})
		}
	}
	return m.all(ops)
}

// all carries out every operation, even after one that failed, and joins the errors.
func (m *Manager) all(ops []Op) error {
	var errs []error
	for _, op := range ops {
		errs = append(errs, m.do(op))
	}
	return errors.Join(errs...)
}

func (m *Manager) do(op Op) error {
	m.changed = true
	if err := m.kernel.Do(op); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// without returns the elements of a that are not in b.
func without[T comparable](a, b []T) []T {
	return slices.DeleteFunc(slices.Clone(a), func(x T) bool { return slices.Contains(b, x) })
}

// Repair describes one repair of a tunnel that another program had changed.
type Repair struct {
	Tunnel string
	VNI    uint32
	What   string // for people
}

func (m *Manager) repaired(t *Tunnel, what string) {
	m.repairs = append(m.repairs, Repair{Tunnel: t.Name, VNI: t.VNI, What: what})
}

// Built reports whether nvad's device of that name exists, as of the last read.
func (m *Manager) Built(name string) bool {
	l := m.link(name)
	return l != nil && l.Own()
}

// Repairs returns the repairs since the last call.
func (m *Manager) Repairs() []Repair {
	list := m.repairs
	m.repairs = nil
	return list
}

// Look reads the links without changing any.
func (m *Manager) Look() error { return m.read() }

// Foreign returns the VXLAN networks of other programs' devices, in no particular order.
func (m *Manager) Foreign() (list []Segment) {
	for _, l := range m.links {
		if l.VXLAN != nil && !l.Own() && m.state[l.Name] == nil {
			list = append(list, Segment{l.VXLAN.Port, l.VXLAN.VNI})
		}
	}
	return list
}

// Links returns all links as of the last read.
func (m *Manager) Links() []Link { return m.links }

// Flush deletes every device of nvad's.
func (m *Manager) Flush() error {
	m.SetWanted(nil)
	if err := m.read(); err != nil {
		return err
	}
	return errors.Join(m.removeUnwanted(), m.read())
}
