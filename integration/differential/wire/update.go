package wire

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// perUpdate is how many prefixes share an UPDATE at most, so that it stays
// below 4,096 octets whatever its attributes.
const perUpdate = 100

// Update is an UPDATE as it arrived.
type Update struct {
	Withdrawn, Announced []netip.Prefix
	Attrs                Heard
}

// Announce sends routes, as Send does, and then End-of-RIB.
func (s *Session) Announce(routes []Route) error {
	if err := s.Send(routes); err != nil {
		return err
	}
	return s.write(bgp.NewBGPUpdateMessage(nil, nil, nil))
}

// Send sends routes in their order, consecutive ones with the same attributes
// together.
func (s *Session) Send(routes []Route) error {
	for len(routes) > 0 {
		n := 1
		for n < len(routes) && n < perUpdate && routes[n].Attrs == routes[0].Attrs {
			n++
		}
		if err := s.update(routes[:n]); err != nil {
			return err
		}
		routes = routes[n:]
	}
	return nil
}

// Withdraw withdraws prefixes, no more than 100.
func (s *Session) Withdraw(prefixes ...netip.Prefix) error {
	list, err := nlri(prefixes)
	if err != nil {
		return err
	}
	return s.write(bgp.NewBGPUpdateMessage(list, nil, nil))
}

func (s *Session) update(routes []Route) error {
	var prefixes []netip.Prefix
	for _, r := range routes {
		prefixes = append(prefixes, r.Prefix)
	}
	list, err := nlri(prefixes)
	if err != nil {
		return err
	}
	return s.write(bgp.NewBGPUpdateMessage(nil, routes[0].Attrs.encode(), list))
}

func nlri(prefixes []netip.Prefix) ([]bgp.PathNLRI, error) {
	var out []bgp.PathNLRI
	for _, prefix := range prefixes {
		p, err := bgp.NewIPAddrPrefix(prefix)
		if err != nil {
			return nil, err
		}
		out = append(out, bgp.PathNLRI{NLRI: p})
	}
	return out, nil
}

// receive keeps what is announced until the connection ends.
func (s *Session) receive() {
	defer close(s.done)
	defer s.conn.Close()
	for {
		typ, body, err := s.read()
		switch {
		case err != nil:
		case typ == bgp.BGP_MSG_NOTIFICATION:
			err = fmt.Errorf("NOTIFICATION % x", body)
		case typ == bgp.BGP_MSG_UPDATE:
			err = s.take(body)
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

// take takes the body of an UPDATE in (RFC 4271 4.3).
func (s *Session) take(body []byte) error {
	withdrawn, rest, ok := counted(body)
	if !ok {
		return fmt.Errorf("malformed UPDATE % x", body)
	}
	attrs, announced, ok := counted(rest)
	if !ok {
		return fmt.Errorf("malformed UPDATE % x", body)
	}
	gone, err := prefixes(withdrawn)
	if err != nil {
		return err
	}
	here, err := prefixes(announced)
	if err != nil {
		return err
	}
	heard, err := decode(attrs)
	if err != nil {
		return err
	}
	if s.watch != nil {
		s.watch(Update{Withdrawn: gone, Announced: here, Attrs: heard})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range gone {
		delete(s.table, p)
	}
	for _, p := range here {
		s.table[p] = heard
	}
	s.changed = time.Now()
	return nil
}

// counted splits data that begins with the length of its first part.
func counted(data []byte) (part, rest []byte, ok bool) {
	if len(data) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(data))
	if len(data) < 2+n {
		return nil, nil, false
	}
	return data[2 : 2+n], data[2+n:], true
}

// prefixes reads IPv4 NLRI.
func prefixes(data []byte) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for len(data) > 0 {
		bits, size := int(data[0]), (int(data[0])+7)/8
		if bits > 32 || len(data) < 1+size {
			return nil, fmt.Errorf("malformed NLRI % x", data)
		}
		var a [4]byte
		copy(a[:], data[1:1+size])
		out = append(out, netip.PrefixFrom(netip.AddrFrom4(a), bits))
		data = data[1+size:]
	}
	return out, nil
}

// Table is what the neighbor announces now.
func (s *Session) Table() map[netip.Prefix]Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.table)
}

// Quiet is how long the neighbor has announced and withdrawn nothing.
func (s *Session) Quiet() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.changed)
}
