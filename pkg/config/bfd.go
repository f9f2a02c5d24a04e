package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config/tomlfile"
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
// count. tomlfile.Errors name the line and do not show it.
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

var bfdFields = []tomlfile.Field[BFD]{
	{Key: "min-tx", Doc: "Milliseconds between packets to the neighbor, at least.",
		Bind: func(b *BFD) tomlfile.Value { return tomlfile.Milliseconds(&b.MinTx, 10, 60000) }},
	{Key: "min-rx", Doc: "Milliseconds between packets of the neighbor that are asked for, at least.",
		Bind: func(b *BFD) tomlfile.Value { return tomlfile.Milliseconds(&b.MinRx, 10, 60000) }},
	{Key: "multiplier", Doc: "Packets that may be lost.",
		Bind: func(b *BFD) tomlfile.Value { return tomlfile.Number(&b.Multiplier, 1, 255) }},
	{Key: "min-ttl", Example: "254",
		Doc: "Discard packets of the neighbor that arrive with a lower TTL, over several hops (RFC 5883 5): 255 less the routers " +
			"between, where it sends with 255 as nvad and FRR do. Default: 256 less ebgp-multihop, or any for an iBGP neighbor. Over one hop it is always 255.",
		Bind: func(b *BFD) tomlfile.Value { return tomlfile.Number(&b.MinTTL, 1, 255) }},
	{Key: "key-file", Example: `"bfd-keys"`,
		Doc: "File with keys to authenticate with (Meticulous Keyed SHA1, RFC 5880 6.7.4): a line for each, with its ID, a space and 1 to 20 bytes. " +
			"The first one is sent with, packets with any of them are taken. A relative path is in systemd's credentials directory. Default: no authentication.",
		Bind: func(b *BFD) tomlfile.Value { return tomlfile.Text(&b.KeyFile, tomlfile.NotEmpty) }},
}

// bfd is false, true or a table of intervals.
type bfd struct{ p *BFD }

func (v bfd) Set(c tomlfile.Cell) {
	out := DefaultBFD()
	switch val := c.Val.(type) {
	case bool:
		if !val {
			out = BFD{}
		}
	case map[string]any:
		tomlfile.InlineTable(&out, bfdFields).Set(c)
	default:
		c.Want("true, false or a table")
		return
	}
	*v.p = out
}

// Changed reports other keys in the same key-file, too.
func (v bfd) Changed(old tomlfile.Value) string {
	if arrow := tomlfile.Arrow(old, v); arrow != "" {
		return arrow
	}
	if was, ok := old.(bfd); ok && v.p.Keys != was.p.Keys {
		return "keys changed"
	}
	return ""
}

func (bfd) Kind() string { return "true, false or table" }

func (v bfd) TOML() string {
	if !v.p.Enabled {
		return "false"
	}
	base := DefaultBFD()
	lines := tomlfile.Differing(&tomlfile.Printer{}, v.p, &base, bfdFields)
	if len(lines) == 0 {
		return "true"
	}
	return tomlfile.Inline(lines)
}
