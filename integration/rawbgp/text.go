package rawbgp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// known lists the attributes that are printed in a special form, and the flags that they must
// have; other flags are printed.
var known = map[uint8]struct {
	name  string
	flags uint8
}{
	AttrOrigin: {"origin", WellKnown}, AttrASPath: {"as-path", WellKnown}, AttrNextHop: {"next-hop", WellKnown}, AttrMED: {"med", Optional},
	AttrLocalPref: {"local-pref", WellKnown}, AttrAtomic: {"atomic-aggregate", WellKnown}, AttrAggregator: {"aggregator", OptionalTransitive},
	AttrCommunities: {"communities", OptionalTransitive}, AttrOriginatorID: {"originator-id", Optional}, AttrClusterList: {"cluster-list", Optional},
	AttrExt: {"ext-communities", OptionalTransitive}, AttrLarge: {"large-communities", OptionalTransitive},
}

// decode returns the path attributes of an UPDATE as text. It ignores whether a length is
// encoded in one octet or in two.
func decode(data []byte) (Heard, error) {
	out := Heard{}
	for len(data) > 0 {
		if len(data) < 3 || data[0]&0x10 != 0 && len(data) < 4 {
			return nil, fmt.Errorf("truncated attribute % x", data)
		}
		flags, typ, size, head := data[0]&0xe0, data[1], int(data[2]), 3
		if data[0]&0x10 != 0 {
			size, head = int(binary.BigEndian.Uint16(data[2:])), 4
		}
		if len(data) < head+size {
			return nil, fmt.Errorf("attribute %d is truncated", typ)
		}
		name, text := describe(flags, typ, data[head:head+size])
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("attribute %s occurs twice", name)
		}
		out[name] = text
		data = data[head+size:]
	}
	return out, nil
}

func describe(flags, typ uint8, value []byte) (name, text string) {
	k, ok := known[typ]
	if !ok {
		return fmt.Sprintf("attribute-%d", typ), fmt.Sprintf("flags %#x value %x", flags, value)
	}
	text = valueText(typ, value)
	if flags != k.flags {
		text += fmt.Sprintf(" (flags %#x)", flags)
	}
	return k.name, text
}

func valueText(typ uint8, v []byte) string {
	switch {
	case typ == AttrOrigin && len(v) == 1 && v[0] < 3:
		return [...]string{"igp", "egp", "incomplete"}[v[0]]
	case typ == AttrASPath:
		return pathText(v)
	case typ == AttrMED || typ == AttrLocalPref:
		return join(v, 4, func(b []byte) string { return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b)), 10) })
	case typ == AttrNextHop || typ == AttrOriginatorID || typ == AttrClusterList:
		return join(v, 4, func(b []byte) string { return netip.AddrFrom4([4]byte(b)).String() })
	case typ == AttrAtomic && len(v) == 0:
		return "set"
	case typ == AttrAggregator && len(v) == 8:
		return fmt.Sprintf("%d %s", binary.BigEndian.Uint32(v), netip.AddrFrom4([4]byte(v[4:])))
	case typ == AttrCommunities:
		return join(v, 4, func(b []byte) string { return colons(binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])) })
	case typ == AttrLarge:
		return join(v, 12, func(b []byte) string {
			return colons(binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]))
		})
	case typ == AttrExt: // a set (RFC 4360 2), which FRR neither sorts nor keeps free of duplicates
		return join(sorted(v, 8), 8, hex.EncodeToString)
	}
	return "malformed " + hex.EncodeToString(v)
}

// join writes every size octets of v in words.
func join(v []byte, size int, text func([]byte) string) string {
	var out []string
	for part := range slices.Chunk(v, size) {
		if len(part) < size {
			return "malformed " + hex.EncodeToString(v)
		}
		out = append(out, text(part))
	}
	return strings.Join(out, " ")
}

func colons[T uint16 | uint32](parts ...T) string {
	var out []string
	for _, p := range parts {
		out = append(out, strconv.FormatUint(uint64(p), 10))
	}
	return strings.Join(out, ":")
}

// pathText writes sets as {1 2}, confederation sequences as (1 2) and their
// sets as [1 2]. A sequence that was split where it need not be shows as "/".
// A set has neither order nor duplicates (RFC 4271 4.3).
func pathText(v []byte) string {
	brackets := map[uint8][2]string{Set: {"{", "}"}, Sequence: {"", ""}, ConfedSeq: {"(", ")"}, ConfedSet: {"[", "]"}}
	var out []string
	last := uint8(0)
	for len(v) > 0 {
		if len(v) < 2 || len(v) < 2+4*int(v[1]) {
			return "malformed " + hex.EncodeToString(v)
		}
		typ, asns := v[0], v[2:2+4*int(v[1])]
		b, ok := brackets[typ]
		if !ok {
			return "malformed " + hex.EncodeToString(v)
		}
		v = v[2+len(asns):]
		if len(asns) == 0 { // FRR sends a set that it has emptied
			continue
		}
		if typ == Set || typ == ConfedSet {
			asns = sorted(asns, 4)
		}
		if typ == last && typ == Sequence {
			out = append(out, "/")
		}
		out = append(out, b[0]+join(asns, 4, func(b []byte) string {
			return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b)), 10)
		})+b[1])
		last = typ
	}
	return strings.Join(out, " ")
}

// sorted returns the distinct values, of size octets each, in ascending order.
func sorted(values []byte, size int) []byte {
	list := slices.Collect(slices.Chunk(values, size))
	slices.SortFunc(list, bytes.Compare)
	return slices.Concat(slices.CompactFunc(list, bytes.Equal)...)
}

// Describe returns a set of attributes as text, in the form in which a neighbor receives it.
func Describe(a *Attrs) string {
	heard, err := decode(a.encode())
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(heard)) {
		out = append(out, name+" "+heard[name])
	}
	return strings.Join(out, ", ")
}
