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

// BFD has the settings of Bidirectional Forwarding Detection (RFC 5880) for a neighbor or
// for the far ends of a tunnel; the zero value is off.
type BFD struct {
	Enabled    bool
	MinTx      time.Duration // minimum interval between packets to the neighbor
	MinRx      time.Duration // minimum interval between packets from the neighbor
	Multiplier int           // packets in a row that may be lost
	MinTTL     int           // of received packets, over several hops; 0: derived from EBGPMultihop
	KeyFile    string        // a relative path is in systemd's credentials directory
	Keys       BFDKeys       // read from KeyFile
}

// BFDKeys are the keys of a session. nvad sends with the first and accepts all. Unused
// keys have no secret.
type BFDKeys [4]BFDKey

// BFDKey is a key of Meticulous Keyed SHA1 (RFC 5880 6.7.4).
type BFDKey struct {
	ID     uint8
	Secret string // 1 to 20 octets
}

// String leaves out the secret.
func (k BFDKey) String() string { return fmt.Sprintf("key %d", k.ID) }

// GoString leaves out the secret.
func (k BFDKey) GoString() string { return k.String() }

// maxBFDSecret is the longest key, in octets (RFC 5880 6.7.4).
const maxBFDSecret = 20

// ParseBFDKeys reads the text of a KeyFile. Each line has a key: its ID from 0 to 255, a
// space, and the secret. Empty lines and those that begin with # are skipped. Errors
// name the line without quoting it.
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
			return BFDKeys{}, fmt.Errorf("line %d: the key has %d bytes, but BFD accepts at most %d", i+1, len(key), maxBFDSecret)
		case n == len(keys):
			return BFDKeys{}, fmt.Errorf("line %d: there are more than %d keys; remove the oldest", i+1, len(keys))
		case slices.ContainsFunc(keys[:n], func(k BFDKey) bool { return k.ID == uint8(number) }):
			return BFDKeys{}, fmt.Errorf("line %d: the ID %d occurs twice", i+1, number)
		}
		keys[n] = BFDKey{uint8(number), key}
		n++
	}
	if n == 0 {
		return BFDKeys{}, errors.New("contains no key; add a line like \"1 secret\"")
	}
	return keys, nil
}

// DefaultBFD returns the settings of bfd = true: 300 ms and three packets, as in FRR.
func DefaultBFD() BFD {
	return BFD{Enabled: true, MinTx: 300 * time.Millisecond, MinRx: 300 * time.Millisecond, Multiplier: 3}
}

func bfdFields(b *BFD) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "min-tx", Value: tomlfile.Milliseconds(&b.MinTx, 10, 60000),
			Doc: "Minimum interval between packets to the neighbor, in milliseconds."},
		{Key: "min-rx", Value: tomlfile.Milliseconds(&b.MinRx, 10, 60000),
			Doc: "Minimum interval between packets that the neighbor is asked to send, in milliseconds."},
		{Key: "multiplier", Value: tomlfile.Number(&b.Multiplier, 1, 255),
			Doc: "How many packets in a row may be lost before the neighbor counts as down."},
		{Key: "min-ttl", Value: tomlfile.Number(&b.MinTTL, 1, 255), Example: "254",
			Doc: "Lowest TTL at which packets from the neighbor are accepted, over several hops (RFC 5883 5). If the neighbor " +
				"sends with 255, as nvad and FRR do, set 255 less the routers in between. Default: 256 less ebgp-multihop, or " +
				"any TTL for an iBGP neighbor. Over one hop, it is always 255."},
		{Key: "key-file", Value: tomlfile.Text(&b.KeyFile, tomlfile.NotEmpty), Example: `"bfd-keys"`,
			Doc: "File with the keys for authentication (Meticulous Keyed SHA1, RFC 5880 6.7.4), one per line: its ID, a space, " +
				"and 1 to 20 bytes. nvad sends with the first key and accepts all of them. A relative path is looked up in " +
				"systemd's credentials directory. Default: no authentication."},
	}
}

// bfd returns a Value for false, true or a table of intervals.
func bfd(p *BFD) tomlfile.Value {
	v := tomlfile.Custom("true, false or table", func(c tomlfile.Cell) {
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
		*p = out
	}, func() string {
		base := DefaultBFD()
		lines := (&tomlfile.Printer{}).Differing(bfdFields(p), bfdFields(&base))
		switch {
		case !p.Enabled:
			return "false"
		case len(lines) == 0:
			return "true"
		}
		return tomlfile.Inline(lines)
	})
	v.Keys = func() any { return p.Keys }
	return v
}
