package bfd

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

const (
	protocolVersion = 1
	headerLen       = 24
	authHeaderLen   = 26 // the shortest packet with an authentication section
)

// packet is a BFD Control packet (RFC 5880 4.1) without its authentication section.
type packet struct {
	authenticated bool // A: an authentication section follows
	diag          Diag
	state         State
	poll          bool
	final         bool
	independent   bool // C: the sender's BFD does not depend on its control plane
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

// decode reads a packet and checks the rules of RFC 5880 6.8.6 that need no session. It
// ignores octets behind the packet's own length.
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

// appendTo encodes the packet. Intervals are rounded down to microseconds; all that the
// configuration allows fit into the field.
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

// The authentication section of Meticulous Keyed SHA1 (RFC 5880 4.4), which follows
// the header: type, length, key ID, reserved, sequence number, hash.
const (
	authTypeSHA1 = 5
	authLen      = 28
	authPacket   = headerLen + authLen
	authSequence = headerLen + 4
	authHash     = headerLen + 8
)

// Reasons to discard an authenticated packet (RFC 5880 6.7, 6.8.6).
var (
	errNoAuth   = errors.New("authentication is in use, and the packet has none")
	errAuth     = errors.New("authentication is not in use, and the packet has it")
	errAuthType = errors.New("authentication is not Meticulous Keyed SHA1")
	errAuthKey  = errors.New("authentication key ID is unknown")
	errSequence = errors.New("authentication sequence number is out of its window")
	errHash     = errors.New("authentication hash does not fit")
)

// auth is the state of a session's authentication (RFC 5880 6.8.1).
type auth struct {
	sent     uint32    // bfd.XmitAuthSeq, of the last packet
	received uint32    // bfd.RcvAuthSeq
	known    time.Time // until when received is valid (bfd.AuthSeqKnown)
}

// verify checks the authentication of a packet that was decoded from b. Cheap checks come
// first, so that no hash is computed for a packet that is replayed or guessed. The window
// depends on the packet's multiplier, which is only to be trusted if the hash fits; if it
// does not, the packet is discarded anyway.
func (a *auth) verify(b []byte, p packet, keys []AuthKey, now time.Time) error {
	switch {
	case len(keys) == 0 && !p.authenticated:
		return nil
	case len(keys) == 0:
		return errAuth
	case !p.authenticated:
		return errNoAuth
	case len(b) < authPacket || b[3] != authPacket || b[headerLen] != authTypeSHA1 || b[headerLen+1] != authLen:
		return errAuthType
	}
	key := slices.IndexFunc(keys, func(k AuthKey) bool { return k.ID == b[headerLen+2] })
	if key < 0 {
		return errAuthKey
	}
	sequence := binary.BigEndian.Uint32(b[authSequence:])
	if ahead := sequence - a.received; now.Before(a.known) && (ahead == 0 || ahead > 3*uint32(p.multiplier)) {
		return errSequence
	}
	want := hash(b[:authPacket], keys[key].Secret)
	if subtle.ConstantTimeCompare(want[:], b[authHash:authPacket]) == 0 {
		return errHash
	}
	return nil
}

// accepted records the sequence number of a packet that was accepted. It is valid for twice
// the detection time: a peer that restarts begins with another one.
func (a *auth) accepted(b []byte, detection time.Duration, now time.Time) {
	a.received = binary.BigEndian.Uint32(b[authSequence:])
	a.known = now.Add(2 * detection)
}

// appendTo appends the authentication section to b, a packet without one, and sets its A bit
// and length. The sequence number grows with each packet (6.7.4).
func (a *auth) appendTo(b []byte, key AuthKey) []byte {
	a.sent++
	b[1] |= bitAuth
	b[3] = authPacket
	b = append(b, authTypeSHA1, authLen, key.ID, 0)
	b = binary.BigEndian.AppendUint32(b, a.sent)
	b = append(b, make([]byte, sha1.Size)...)
	sum := hash(b, key.Secret)
	copy(b[authHash:], sum[:])
	return b
}

// hash returns the hash of a packet. The secret, padded with zeros, stands where the hash
// goes (6.7.4).
func hash(b []byte, secret string) [sha1.Size]byte {
	var with [authPacket]byte
	copy(with[:authHash], b)
	copy(with[authHash:], secret)
	return sha1.Sum(with[:])
}
