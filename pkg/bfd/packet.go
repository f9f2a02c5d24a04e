package bfd

import (
	"encoding/binary"
	"errors"
	"time"
)

const (
	protocolVersion = 1
	headerLen       = 24
	authHeaderLen   = 26 // the shortest packet with an authentication section
)

// packet is a BFD Control packet (RFC 5880 4.1) without its authentication section.
type packet struct {
	authenticated bool // A: a section follows, see auth.go
	diag          Diag
	state         State
	poll          bool
	final         bool
	independent   bool // C: the sender's BFD survives its control plane
	demand        bool
	multiplier    uint8
	my, your      uint32 // discriminators

	desiredMinTx  time.Duration
	requiredMinRx time.Duration
	requiredEcho  time.Duration
}

// Reasons to discard a packet, in the order of RFC 5880 6.8.6.
var (
	errVersion    = errors.New("version is not 1")
	errLength     = errors.New("length does not fit")
	errMultiplier = errors.New("detection multiplier is zero")
	errMultipoint = errors.New("multipoint bit is set")
	errMyDiscr    = errors.New("own discriminator is zero")
	errYourDiscr  = errors.New("discriminator is zero in state Init or Up")
)

// Bits of the second octet.
const (
	bitPoll        = 0x20
	bitFinal       = 0x10
	bitIndependent = 0x08
	bitAuth        = 0x04
	bitDemand      = 0x02
	bitMultipoint  = 0x01
)

// decode reads a packet and applies those rules of RFC 5880 6.8.6 that need no
// session. Bytes after the packet's own length are ignored.
func decode(b []byte) (packet, error) {
	if len(b) < headerLen {
		return packet{}, errLength
	}
	flags, length := b[1], int(b[3])
	switch {
	case b[0]>>5 != protocolVersion:
		return packet{}, errVersion
	case length < headerLen, flags&bitAuth != 0 && length < authHeaderLen, length > len(b):
		return packet{}, errLength
	}
	p := packet{
		diag:          Diag(b[0] & 0x1f),
		state:         State(flags >> 6),
		poll:          flags&bitPoll != 0,
		final:         flags&bitFinal != 0,
		independent:   flags&bitIndependent != 0,
		demand:        flags&bitDemand != 0,
		multiplier:    b[2],
		authenticated: flags&bitAuth != 0,
		my:            binary.BigEndian.Uint32(b[4:]),
		your:          binary.BigEndian.Uint32(b[8:]),
		desiredMinTx:  micros(b[12:]),
		requiredMinRx: micros(b[16:]),
		requiredEcho:  micros(b[20:]),
	}
	switch {
	case p.multiplier == 0:
		return packet{}, errMultiplier
	case flags&bitMultipoint != 0:
		return packet{}, errMultipoint
	case p.my == 0:
		return packet{}, errMyDiscr
	case p.your == 0 && p.state != Down && p.state != AdminDown:
		return packet{}, errYourDiscr
	}
	return p, nil
}

// appendTo appends the packet's wire form. Intervals are rounded down to
// microseconds; those that the configuration allows fit the field.
func (p packet) appendTo(b []byte) []byte {
	flags := byte(p.state) << 6
	for _, f := range [...]struct {
		set bool
		bit byte
	}{{p.poll, bitPoll}, {p.final, bitFinal}, {p.independent, bitIndependent}, {p.demand, bitDemand}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, protocolVersion<<5|byte(p.diag), flags, p.multiplier, headerLen)
	for _, v := range [...]uint32{
		p.my, p.your,
		uint32(p.desiredMinTx.Microseconds()), uint32(p.requiredMinRx.Microseconds()), uint32(p.requiredEcho.Microseconds()),
	} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func micros(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
