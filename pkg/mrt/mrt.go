// Package mrt writes what happened to BGP sessions and routes in the MRT format (RFC 6396),
// so that tools and collectors that people have can read it.
//
// It promises that every record is whole and correct on its own: BGP4MP_ET records with
// microseconds, 4-octet ASNs, and UPDATEs of package wire. It keeps no state and opens
// nothing. Which events become records, and what a route was, is the caller's business.
package mrt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// Types and subtypes of records (RFC 6396 4).
const (
	typeBGP4MPET   = 17
	messageAS4     = 4
	stateChangeAS4 = 5
)

// Address families of a record (RFC 6396 4.4.1).
const (
	afiIPv4 = 1
	afiIPv6 = 2
)

// Peer is a session as seen from this machine. Addresses that are not known are invalid;
// the record then has the unspecified address.
type Peer struct {
	ASN, LocalASN         uint32
	Address, LocalAddress netip.Addr
}

// Writer writes records to an io.Writer, each with one call of Write.
type Writer struct {
	out io.Writer
	enc wire.Encoder
}

// ErrAttributes is wrapped in the error for attributes that no UPDATE can carry.
var ErrAttributes = errors.New("the attributes fit into no UPDATE")

// NewWriter returns a Writer to out.
func NewWriter(out io.Writer) *Writer {
	return &Writer{out, wire.Encoder{IPv6NextHops: true, Extended: true}}
}

// states are the numbers of the states of a session (RFC 6396 4.4.1).
var states = map[speaker.State]uint16{
	speaker.Idle: 1, speaker.Connect: 2, speaker.Active: 3, speaker.OpenSent: 4, speaker.OpenConfirm: 5, speaker.EstablishedState: 6,
}

// StateChange writes that a session changed its state.
func (w *Writer) StateChange(at time.Time, p Peer, from, to speaker.State) error {
	body := binary.BigEndian.AppendUint16(nil, states[from])
	return w.record(at, stateChangeAS4, p, binary.BigEndian.AppendUint16(body, states[to]))
}

// Announce writes an UPDATE of p that announces prefix. A path without a next hop, as this
// machine originates it, gets the local address of p. [ErrAttributes] if the attributes do
// not fit into a message; any other error is that of the io.Writer.
func (w *Writer) Announce(at time.Time, p Peer, prefix netip.Prefix, a route.Attrs) error {
	family := familyOf(prefix)
	if !a.NextHop.IsValid() {
		a.NextHop = unspecified(family == route.IPv6)
		if p.LocalAddress.IsValid() && p.LocalAddress.Is4() == a.NextHop.Is4() {
			a.NextHop = p.LocalAddress
		}
	}
	set, err := w.enc.Encode(&a, family)
	if err != nil {
		return fmt.Errorf("%s from %s: %w: %w", prefix, p.Address, ErrAttributes, err)
	}
	message, _, err := w.enc.Announce(nil, set, []netip.Prefix{prefix})
	if err != nil {
		return fmt.Errorf("%s from %s: %w: %w", prefix, p.Address, ErrAttributes, err)
	}
	return w.record(at, messageAS4, p, message)
}

// Withdraw writes an UPDATE of p that withdraws prefix.
func (w *Writer) Withdraw(at time.Time, p Peer, prefix netip.Prefix) error {
	message, _ := w.enc.Withdraw(nil, familyOf(prefix), []netip.Prefix{prefix})
	return w.record(at, messageAS4, p, message)
}

func familyOf(p netip.Prefix) route.Family {
	if p.Addr().Is4() {
		return route.IPv4
	}
	return route.IPv6
}

// record writes a record: the header, the session, and body. The length of the header
// counts the microseconds (RFC 6396 3).
func (w *Writer) record(at time.Time, subtype uint16, p Peer, body []byte) error {
	const header, fixed = 12, 4 + 4 + 4 + 2 + 2
	b := make([]byte, 0, header+fixed+2*16+len(body))
	b = binary.BigEndian.AppendUint32(b, uint32(at.Unix()))
	b = binary.BigEndian.AppendUint16(b, typeBGP4MPET)
	b = binary.BigEndian.AppendUint16(b, subtype)
	b = append(b, 0, 0, 0, 0) // length, below
	b = binary.BigEndian.AppendUint32(b, uint32(at.Nanosecond()/1000))
	b = binary.BigEndian.AppendUint32(b, p.ASN)
	b = binary.BigEndian.AppendUint32(b, p.LocalASN)
	b = append(b, 0, 0) // index of the interface: not known
	b = appendAddresses(b, p)
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-header))
	_, err := w.out.Write(b)
	return err
}

// appendAddresses appends both addresses of a session, which are of one family.
func appendAddresses(b []byte, p Peer) []byte {
	six := p.Address.Is6() && !p.Address.Is4In6()
	afi := uint16(afiIPv4)
	if six {
		afi = afiIPv6
	}
	b = binary.BigEndian.AppendUint16(b, afi)
	for _, a := range []netip.Addr{p.Address.Unmap(), p.LocalAddress.Unmap()} {
		if !a.IsValid() || a.Is6() != six {
			a = unspecified(six)
		}
		b = append(b, a.AsSlice()...)
	}
	return b
}

func unspecified(six bool) netip.Addr {
	if six {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}
