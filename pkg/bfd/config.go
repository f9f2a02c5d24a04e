package bfd

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Defaults and limits of [Session].
const (
	DefaultInterval   = 300 * time.Millisecond
	DefaultMultiplier = 3
	MinInterval       = 10 * time.Millisecond
	MaxInterval       = time.Minute
)

// Key names a session.
type Key struct {
	Local    netip.Addr
	Remote   netip.Addr
	Multihop bool // RFC 5883, UDP port 4784; otherwise RFC 5881, UDP port 3784
}

// String returns the key for logs: "10.0.0.4 > 10.10.0.4 multihop".
func (k Key) String() string {
	s := k.Local.String() + " > " + k.Remote.String()
	if k.Multihop {
		s += " multihop"
	}
	return s
}

// compare orders by remote, then local address, then single-hop before multihop.
func (k Key) compare(o Key) int {
	return cmp.Or(k.Remote.Compare(o.Remote), k.Local.Compare(o.Local), cmp.Compare(k.port(), o.port()))
}

// port returns the UDP port on which both ends receive.
func (k Key) port() uint16 {
	if k.Multihop {
		return portMultihop
	}
	return portSingleHop
}

// Session configures one session. Everything but the Key may change while it is up.
type Session struct {
	Key
	// Device binds the session to a network device; packets from other devices are
	// discarded. Empty means any. Link-local addresses need it.
	Device string
	// MinTx is Desired Min TX Interval, MinRx Required Min RX Interval (RFC 5880
	// 4.1), from MinInterval to MaxInterval; 0 means DefaultInterval. While the session
	// is not up, at most one packet a second is sent (6.8.3).
	MinTx, MinRx time.Duration
	// Multiplier is the number of packets in a row that the peer may miss; 0 means
	// DefaultMultiplier.
	Multiplier uint8
	// MinTTL is the least TTL, or hop limit, of the peer's packets over several hops. If
	// the peer sends with 255, set it to 255 less the routers on the way; 0 accepts any
	// (RFC 5883 5). Over one hop it is always 255 (RFC 5881 5).
	MinTTL uint8
	// Keys authenticate the session (RFC 5880 6.7.4, Meticulous Keyed SHA1); without keys
	// there is no authentication. Packets are sent with the first key and accepted with
	// any, so that the two ends can change to another key one after the other.
	Keys []AuthKey
}

// AuthKey is a key that both ends of a session share.
type AuthKey struct {
	ID     uint8
	Secret string // 1 to 20 octets
}

// String leaves out the secret.
func (k AuthKey) String() string { return fmt.Sprintf("key %d", k.ID) }

// GoString leaves out the secret.
func (k AuthKey) GoString() string { return k.String() }

// MaxSecret is the longest secret in octets (RFC 5880 6.7.4).
const MaxSecret = 20

// normalise fills in defaults, and fails for a session that can't work.
func (s Session) normalise() (Session, error) {
	s.Local, s.Remote = s.Local.Unmap().WithZone(""), s.Remote.Unmap().WithZone("")
	if s.MinTx == 0 {
		s.MinTx = DefaultInterval
	}
	if s.MinRx == 0 {
		s.MinRx = DefaultInterval
	}
	if s.Multiplier == 0 {
		s.Multiplier = DefaultMultiplier
	}
	if !s.Multihop {
		s.MinTTL = maxHopLimit
	}
	if err := s.check(); err != nil {
		return s, fmt.Errorf("bfd session %s: %w", s.Key, err)
	}
	return s, nil
}

func (s Session) check() error {
	linkLocal := s.Remote.Is6() && (s.Local.IsLinkLocalUnicast() || s.Remote.IsLinkLocalUnicast())
	switch {
	case !unicast(s.Local) || !unicast(s.Remote):
		return errors.New("local and remote must be unicast addresses")
	case s.Local.Is4() != s.Remote.Is4():
		return errors.New("local and remote are of different families")
	case s.Local == s.Remote:
		return errors.New("local and remote are the same address")
	case linkLocal && s.Multihop:
		return errors.New("a link-local address reaches one hop only")
	case linkLocal && s.Device == "":
		return errors.New("a link-local address needs a device")
	}
	ids := map[uint8]bool{}
	for _, k := range s.Keys {
		switch {
		case len(k.Secret) < 1 || len(k.Secret) > MaxSecret:
			return fmt.Errorf("%v has %d octets, want 1 to %d", k, len(k.Secret), MaxSecret)
		case ids[k.ID]:
			return fmt.Errorf("%v is given twice", k)
		}
		ids[k.ID] = true
	}
	for _, v := range [...]time.Duration{s.MinTx, s.MinRx} {
		if v < MinInterval || v > MaxInterval {
			return fmt.Errorf("interval %v is not between %v and %v", v, MinInterval, MaxInterval)
		}
	}
	return nil
}

func unicast(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast()
}

// normaliseAll fails if one session is wrong or named twice.
func normaliseAll(sessions []Session) (map[Key]Session, error) {
	wanted := make(map[Key]Session, len(sessions))
	var errs []error
	for _, s := range sessions {
		s, err := s.normalise()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if _, twice := wanted[s.Key]; twice {
			errs = append(errs, fmt.Errorf("bfd session %s: configured twice", s.Key))
		}
		wanted[s.Key] = s
	}
	return wanted, errors.Join(errs...)
}
