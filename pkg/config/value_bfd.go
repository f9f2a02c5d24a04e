package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BFD is how a neighbor or a tunnel's far end is watched by Bidirectional Forwarding Detection (RFC 5880);
// zero if it is not. Whether over one hop or several follows from who is watched.
type BFD struct {
	Enabled    bool
	MinTx      time.Duration // between own packets, at least
	MinRx      time.Duration // between those of the neighbor, at least
	Multiplier int           // packets that may be lost
	MinTTL     int           // of the neighbor's packets over several hops; 0: see Neighbor.EBGPMultihop
	KeyFile    string        // with the keys; a relative path is in systemd's credentials directory
	Keys       BFDKeys       // that were read from KeyFile
}

// BFDKeys are the keys of a session: the first is sent with, all are taken. Unused
// ones have no secret.
type BFDKeys [4]BFDKey

// BFDKey is a key of Meticulous Keyed SHA1 (RFC 5880 6.7.4).
type BFDKey struct {
	ID     uint8
	Secret string // 1 to 20 octets
}

// String does not show the secret.
func (k BFDKey) String() string { return fmt.Sprintf("key %d", k.ID) }

// GoString does not show the secret.
func (k BFDKey) GoString() string { return k.String() }

// maxBFDSecret is how long a key may be, in octets (RFC 5880 6.7.4).
const maxBFDSecret = 20

// ParseBFDKeys reads the text of a KeyFile: a line for each key, with its ID from 0
// to 255, a space, and the key. Empty lines and those that begin with # do not
// count. Errors name the line and do not show it.
func ParseBFDKeys(text string) (keys BFDKeys, err error) {
	n := 0
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, key, _ := strings.Cut(line, " ")
		number, err := strconv.ParseUint(id, 10, 8)
		key = strings.TrimSpace(key)
		switch {
		case err != nil || key == "":
			return BFDKeys{}, fmt.Errorf("line %d: want a key ID from 0 to 255, a space and the key", i+1)
		case len(key) > maxBFDSecret:
			return BFDKeys{}, fmt.Errorf("line %d: the key has %d bytes; BFD takes at most %d", i+1, len(key), maxBFDSecret)
		case n == len(keys):
			return BFDKeys{}, fmt.Errorf("line %d: want at most %d keys", i+1, len(keys))
		case slices.ContainsFunc(keys[:n], func(k BFDKey) bool { return k.ID == uint8(number) }):
			return BFDKeys{}, fmt.Errorf("line %d: key %d is given twice", i+1, number)
		}
		keys[n] = BFDKey{uint8(number), key}
		n++
	}
	if n == 0 {
		return BFDKeys{}, errors.New("holds no key (want a line like \"1 secret\")")
	}
	return keys, nil
}

// DefaultBFD is what true means: 300 ms and three packets, as in FRR.
func DefaultBFD() BFD {
	return BFD{Enabled: true, MinTx: 300 * time.Millisecond, MinRx: 300 * time.Millisecond, Multiplier: 3}
}

var bfdFields = []field[BFD]{
	{key: "min-tx", doc: "Milliseconds between packets to the neighbor, at least.",
		bind: func(b *BFD) value { return milliseconds{&b.MinTx, 10, 60000} }},
	{key: "min-rx", doc: "Milliseconds between packets of the neighbor that are asked for, at least.",
		bind: func(b *BFD) value { return milliseconds{&b.MinRx, 10, 60000} }},
	{key: "multiplier", doc: "Packets that may be lost.",
		bind: func(b *BFD) value { return number(&b.Multiplier, 1, 255) }},
	{key: "min-ttl", example: "254",
		doc: "Discard packets of the neighbor that arrive with a lower TTL, over several hops (RFC 5883 5): 255 less the routers " +
			"between, where it sends with 255 as nvad and FRR do. Default: 256 less ebgp-multihop, or any for an iBGP neighbor. Over one hop it is always 255.",
		bind: func(b *BFD) value { return number(&b.MinTTL, 1, 255) }},
	{key: "key-file", example: `"bfd-keys"`,
		doc: "File with keys to authenticate with (Meticulous Keyed SHA1, RFC 5880 6.7.4): a line for each, with its ID, a space and 1 to 20 bytes. " +
			"The first one is sent with, packets with any of them are taken. A relative path is in systemd's credentials directory. Default: no authentication.",
		bind: func(b *BFD) value { return text{&b.KeyFile, notEmpty} }},
}

// bfd is false, true or a table of intervals.
type bfd struct{ p *BFD }

func (v bfd) set(c cell) {
	out := DefaultBFD()
	switch val := c.val.(type) {
	case bool:
		if !val {
			out = BFD{}
		}
	case map[string]any:
		t, _ := c.table()
		readFields(t, &out, bfdFields)
		t.done()
	default:
		c.want("true, false or a table")
		return
	}
	*v.p = out
}

// rekeyed reports whether the keys in the file are others than those of old.
func (v bfd) rekeyed(old value) bool {
	was, ok := old.(bfd)
	return ok && v.p.Keys != was.p.Keys
}

func (bfd) kind() string { return "true, false or table" }

func (v bfd) toml() string {
	if !v.p.Enabled {
		return "false"
	}
	base := DefaultBFD()
	lines := differing(v.p, &base, bfdFields, false)
	if len(lines) == 0 {
		return "true"
	}
	return "{ " + strings.Join(lines, ", ") + " }"
}

// milliseconds is a whole number of them.
type milliseconds struct {
	p      *time.Duration
	lo, hi int64
}

func (v milliseconds) set(c cell) {
	n, ok := c.val.(int64)
	if !ok || n < v.lo || n > v.hi {
		c.want(fmt.Sprintf("milliseconds from %d to %d", v.lo, v.hi))
		return
	}
	*v.p = time.Duration(n) * time.Millisecond
}

func (v milliseconds) kind() string { return fmt.Sprintf("milliseconds %d-%d", v.lo, v.hi) }

func (v milliseconds) toml() string { return fmt.Sprint(v.p.Milliseconds()) }
