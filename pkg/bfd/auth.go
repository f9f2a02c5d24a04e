package bfd

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"time"
)

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
	known    time.Time // until when received counts (bfd.AuthSeqKnown)
}

// verify checks the authentication of a packet that was decoded from b. The cheap
// checks come first: what is replayed or guessed costs no hash. The window follows
// the multiplier that the packet claims, but it counts only if the hash fits.
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
	secret, ok := secretOf(keys, b[headerLen+2])
	if !ok {
		return errAuthKey
	}
	sequence := binary.BigEndian.Uint32(b[authSequence:])
	if ahead := sequence - a.received; now.Before(a.known) && (ahead == 0 || ahead > 3*uint32(p.multiplier)) {
		return errSequence
	}
	want := hash(b[:authPacket], secret)
	if subtle.ConstantTimeCompare(want[:], b[authHash:authPacket]) == 0 {
		return errHash
	}
	return nil
}

// took notes the sequence number of a packet that was taken. It is forgotten where
// none is taken for twice the detection time: a peer that restarts begins with
// another one.
func (a *auth) took(b []byte, detection time.Duration, now time.Time) {
	a.received = binary.BigEndian.Uint32(b[authSequence:])
	a.known = now.Add(2 * detection)
}

// appendTo appends the section to b, which is a packet without one, and sets its A
// bit and length. The sequence number grows with each packet (6.7.4).
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

// hash is that of a packet with the key, padded with zeros, where the hash goes.
func hash(b []byte, secret string) [sha1.Size]byte {
	var with [authPacket]byte
	copy(with[:authHash], b)
	copy(with[authHash:], secret)
	return sha1.Sum(with[:])
}

func secretOf(keys []AuthKey, id uint8) (string, bool) {
	for _, k := range keys {
		if k.ID == id {
			return k.Secret, true
		}
	}
	return "", false
}
