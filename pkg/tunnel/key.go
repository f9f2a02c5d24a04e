package tunnel

import (
	"crypto/ecdh"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
)

// Key is a public key of WireGuard.
type Key [32]byte

// ParseKey reads a public key in base64, as wg(8) writes it.
func ParseKey(s string) (Key, error) { return parseKey(s, "wg pubkey") }

// parseKey reads a key that the command prints. Its error does not quote what was found instead:
// that may be a private key.
func parseKey(s, command string) (k Key, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(k) || len(s) != base64.StdEncoding.EncodedLen(len(k)) { // which skips line ends
		return k, fmt.Errorf("want a WireGuard key: 44 characters of base64, as %q prints it", command)
	}
	if copy(k[:], b); k == (Key{}) {
		return k, errors.New("the key is all zeros, which WireGuard takes for no key at all")
	}
	return k, nil
}

// String returns the key in base64.
func (k Key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Secret is a private or preshared key. Nothing that prints values shows it.
type Secret struct{ key Key }

// NewShared wraps the octets of a preshared key.
func NewShared(octets [32]byte) Secret { return Secret{octets} }

// NewPrivate wraps the octets of a private key. Some of their bits are given (RFC 7748 section
// 5); WireGuard returns the key with these set, whatever it was told.
func NewPrivate(octets [32]byte) Secret {
	if octets == ([32]byte{}) {
		return Secret{} // a device without a key
	}
	octets[0] &= 248
	octets[31] = octets[31]&127 | 64
	return Secret{octets}
}

// ParseShared reads a preshared key in base64. The error does not quote it.
func ParseShared(s string) (Secret, error) {
	k, err := parseKey(s, "wg genpsk")
	return Secret{k}, err
}

// ParsePrivate reads a private key in base64. The error does not quote it.
func ParsePrivate(s string) (Secret, error) {
	k, err := parseKey(s, "wg genkey")
	if err != nil {
		return Secret{}, err
	}
	return NewPrivate(k), nil
}

// IsZero reports whether there is no key.
func (s Secret) IsZero() bool { return s == Secret{} }

// Equal compares two keys in a time that says nothing about them.
func (s Secret) Equal(o Secret) bool { return subtle.ConstantTimeCompare(s.key[:], o.key[:]) == 1 }

// Octets returns the key, for the kernel.
func (s Secret) Octets() [32]byte { return s.key }

// Base64 returns the key as wg(8) writes it, for a file.
func (s Secret) Base64() string { return s.key.String() }

// Public returns the public key of a private one.
func (s Secret) Public() Key {
	private, err := ecdh.X25519().NewPrivateKey(s.key[:])
	if err != nil { // only for a key of another length
		return Key{}
	}
	return Key(private.PublicKey().Bytes())
}

// String hides the key.
func (s Secret) String() string { return "(hidden)" }

// Format hides the key from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue hides the key from the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// MarshalText hides the key from JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte("(hidden)"), nil }
