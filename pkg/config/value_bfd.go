package config

import (
	"fmt"
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
