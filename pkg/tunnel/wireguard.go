package tunnel

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// WireGuard has the keys, the port and the peer of a wanted tunnel. It has one peer, to which all
// addresses are allowed: the kernel's routes and BGP decide what goes where. If allowed-ips
// did, they would be a second routing table, without ECMP and backups.
type WireGuard struct {
	Private Secret
	Port    uint16 // UDP, where this end listens; 0: any free one
	Peer    Peer
	// Pinned keeps the peer at its endpoint. Otherwise WireGuard follows the peer to
	// wherever its authentic packets come from.
	Pinned bool
	// Last is where the peer was in an earlier run. A device that knows no endpoint of its peer
	// calls there, so that a peer behind NAT need not find out that this end was restarted.
	Last netip.AddrPort
	// Broken says why the tunnel can't be built, such as a key that can't be read; empty: it can.
	Broken string
}

// Peer is the other end of a WireGuard tunnel.
type Peer struct {
	Public    Key
	Preshared Secret         // zero: none
	Endpoint  netip.AddrPort // invalid: not known, the peer calls first
	Keepalive time.Duration  // between packets that keep NAT and sessions open; 0: none
}

// Device is a WireGuard device as it is.
type Device struct {
	Userspace bool // this process encrypts, because the kernel has no WireGuard
	Private   Secret
	Port      uint16
	Mark      uint32 // of outer packets (SO_MARK); nvad wants 0
	Peers     []PeerState
}

// PeerState is a peer of a device as it is.
type PeerState struct {
	Peer
	AllowedIPs    []netip.Prefix
	LastHandshake time.Time // zero: none since the device was made
	RxBytes       uint64    // encrypted ones, keepalives and handshakes too
	TxBytes       uint64
}

// everything has the AllowedIPs of every peer: it may send, and be sent, packets of any address.
var everything = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// Everything returns the allowed addresses of every peer.
func Everything() []netip.Prefix { return slices.Clone(everything) }

// Bytes that WireGuard adds to an inner packet: its header 16, its tag 16, UDP 8, and the
// outer IP header. Padding to 16 bytes stays within the MTU.
const (
	wireguardOverhead4 = 60
	wireguardOverhead6 = 80
)

// ethernet is the MTU of the path to a peer that nothing else is known of.
const ethernet = 1500

// deadAfter is how long a peer may be without a handshake. WireGuard makes a new one each
// 120 seconds and rejects a session after 180 (its protocol's Rekey-After-Time and
// Reject-After-Time); the rest is for handshakes that get lost, which are repeated each 5
// seconds (Rekey-Timeout). Within this time the peers always talk, since keepalives do.
const deadAfter = 195 * time.Second

// answerTime is how long the first handshake may take: three attempts.
const answerTime = 15 * time.Second

// peer returns the state of the wanted peer; nil if the device does not have it.
func (d *Device) peer(k Key) *PeerState {
	if d == nil {
		return nil
	}
	i := slices.IndexFunc(d.Peers, func(p PeerState) bool { return p.Public == k })
	if i < 0 {
		return nil
	}
	return &d.Peers[i]
}

// silence returns why a peer counts as dead; empty if it does not. Without keepalives
// silence says nothing.
func (s *state) silence(w *WireGuard, p *PeerState, now time.Time) string {
	s.notice(p, now)
	switch {
	case w.Peer.Keepalive == 0 || p == nil:
		return ""
	case p.LastHandshake.IsZero() && now.Sub(s.since) > answerTime:
		return "no handshake with the peer yet"
	case !p.LastHandshake.IsZero() && now.Sub(s.heard) > deadAfter:
		return fmt.Sprintf("no handshake with the peer for more than %s", deadAfter)
	}
	return ""
}

// notice records when the peer's last handshake changed. WireGuard stamps it with the time of day,
// which may jump: if NTP sets the clock an hour forward, no peer is an hour older. So the stamp
// counts only for a handshake from before the first look.
func (s *state) notice(p *PeerState, now time.Time) {
	if p == nil || p.LastHandshake.IsZero() || p.LastHandshake.Equal(s.stamp) {
		return
	}
	age := max(0, now.Sub(p.LastHandshake))
	if !s.heard.IsZero() {
		age = 0
	}
	s.stamp, s.heard = p.LastHandshake, now.Add(-age)
}

// differs returns what of a device is not as wanted; empty if everything is. An endpoint
// that the peer may have chosen itself is replaced only if move is set, or the peer pinned.
func (w *WireGuard) differs(d *Device, move bool) string {
	p := d.peer(w.Peer.Public)
	switch {
	case d == nil:
		return "no WireGuard device"
	case !d.Private.Equal(w.Private):
		return "private key"
	case w.Port != 0 && d.Port != w.Port:
		return "listen port"
	case d.Mark != 0:
		return "firewall mark"
	case p == nil:
		return "peer was gone"
	case len(d.Peers) > 1:
		return "foreign peer"
	case !p.Preshared.Equal(w.Peer.Preshared):
		return "preshared key"
	case p.Keepalive != w.Peer.Keepalive:
		return "keepalive"
	case !sameSet(p.AllowedIPs, everything):
		return "allowed addresses"
	case w.Peer.Endpoint.IsValid() && p.Endpoint != w.Peer.Endpoint && (w.Pinned || move || !p.Endpoint.IsValid()):
		return "endpoint"
	case !w.Peer.Endpoint.IsValid() && w.Last.IsValid() && !p.Endpoint.IsValid():
		return "endpoint"
	}
	return ""
}

// moved reports whether the peer has another endpoint than the tunnel of that name had before.
func (t *Tunnel) moved(before []Tunnel) bool {
	return slices.ContainsFunc(before, func(b Tunnel) bool {
		return b.Name == t.Name && b.WireGuard != nil && t.WireGuard != nil && b.WireGuard.Peer.Endpoint != t.WireGuard.Peer.Endpoint
	})
}

// sameSet reports whether a and b have the same elements in whatever order.
func sameSet(a, b []netip.Prefix) bool {
	return len(a) == len(b) && len(without(a, b)) == 0
}

// buildWireGuard brings one WireGuard tunnel to what is wanted. Everything about a device
// can be changed in place, so that a restart of nvad or a reload interrupts nothing that
// does not change.
func (m *Manager) buildWireGuard(t *Tunnel, s *state, now time.Time) error {
	w := t.WireGuard
	if w.Broken != "" {
		return errors.New(w.Broken)
	}
	l := m.link(t.Name)
	made := l != nil && (l.Own() || l.Index == s.index) // perhaps only the alias is missing
	if l != nil && !made && (l.WireGuard == nil || w.differs(l.WireGuard, false) != "") {
		return errForeign
	}
	if l != nil && l.WireGuard == nil { // a device of another type: it was a VXLAN tunnel
		if err := m.do(Op{Kind: Delete, Name: l.Name, Index: l.Index}); err != nil {
			return err
		}
		l = nil
	}
	fresh := l == nil
	mtu := m.wireguardMTU(t)
	if fresh {
		var err error
		if l, err = m.createDevice(s, Op{Kind: CreateWireGuard, Name: t.Name, MTU: mtu}); err != nil {
			return err
		}
	} else if !l.Own() {
		if err := m.do(Op{Kind: SetAlias, Name: l.Name, Index: l.Index}); err != nil {
			return err
		}
	}
	if fresh || s.since.IsZero() {
		s.since = now
	}
	if s.Built && fresh {
		m.repaired(t, t.Name+" was gone")
	}
	s.index = l.Index
	if err := m.configure(t, s, l, fresh, now); err != nil {
		return err
	}
	return m.dress(t, s, l, look{mtu: mtu}, fresh)
}

// configure gives the device its keys and its peer.
func (m *Manager) configure(t *Tunnel, s *state, l *Link, fresh bool, now time.Time) error {
	w := t.WireGuard
	silent := s.silence(w, l.WireGuard.peer(w.Peer.Public), now) != ""
	what := w.differs(l.WireGuard, silent || s.moved)
	if what == "" {
		s.moved = false
		return nil
	}
	if s.Built && !fresh && l.Alias == Alias && what != "endpoint" {
		m.repaired(t, t.Name+": "+what)
	}
	err := m.do(Op{Kind: SetWireGuard, Name: l.Name, Index: l.Index, WireGuard: *w})
	s.moved = s.moved && err != nil
	return err
}

// wireguardMTU returns the MTU of a WireGuard device: what the link that leads to the peer
// carries, less the overhead. If nothing is known of the peer, its packets may come over
// IPv6 through an ordinary link.
func (m *Manager) wireguardMTU(t *Tunnel) int {
	if t.MTU != 0 {
		return t.MTU
	}
	end := t.WireGuard.Peer.Endpoint
	if !end.IsValid() {
		return ethernet - wireguardOverhead6
	}
	mtu := ethernet
	if l := m.outer(t); l != nil {
		mtu = min(mtu, l.MTU) // beyond a link of larger packets, the internet still carries no more
	}
	return mtu - wireguardOverhead(end.Addr())
}

func wireguardOverhead(end netip.Addr) int {
	if end.Is6() {
		return wireguardOverhead6
	}
	return wireguardOverhead4
}

// outer returns the link that leads to the peer of a WireGuard tunnel; nil if none is known.
func (m *Manager) outer(t *Tunnel) *Link {
	end := t.WireGuard.Peer.Endpoint
	if !end.IsValid() {
		return nil
	}
	p, err := m.kernel.Path(end.Addr())
	i := slices.IndexFunc(m.links, func(l Link) bool { return l.Index == p.Link })
	if err != nil || i < 0 || m.links[i].Name == t.Name {
		return nil
	}
	return &m.links[i]
}

// statusWireGuard fills in what is known of a WireGuard tunnel.
func (m *Manager) statusWireGuard(t *Tunnel, st *Status) {
	st.Source = netip.Addr{}
	if u := m.outer(t); u != nil {
		st.Underlay = u.Name
		st.Source = address(*u, t.WireGuard.Peer.Endpoint.Addr().Is6())
	}
	if l := m.link(t.Name); l != nil && l.WireGuard != nil {
		st.Userspace, st.Port = l.WireGuard.Userspace, l.WireGuard.Port
		if p := l.WireGuard.peer(t.WireGuard.Peer.Public); p != nil {
			st.Peer = *p
		}
	}
	st.Silent = m.state[t.Name].silent
	if st.Silent != "" && st.State == "up" {
		st.State, st.Reason = "down", st.Silent
	}
}
