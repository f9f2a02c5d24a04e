package api

import (
	"math/bits"
	"net/netip"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/route"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"

	"github.com/nvad/nvad/pkg/watch"
)

// Bounds of one record of the journal. A neighbor chooses how long an AS path or a list of
// communities is, and the reasons quote them.
const (
	recordSize = 4 << 10 // octets, above which it is cut
	recordText = 512     // octets that a text of a cut record keeps
	recordList = 16      // elements that a list of a cut record keeps
	keySize    = 200     // octets of a name within a key
)

// EventRecord returns the record of ev for the journal. Taken says that nothing changed
// now: the journal takes the present state.
func EventRecord(ev watch.Event, taken bool) journal.Record {
	m := eventMessage(ev)
	m.Time = nil // the record has it
	if r, ok := ev.Change.(watch.Route); ok && r.New.Attrs != nil {
		best := m.GetRoute().GetNew()
		attrs, short := shortened(r.New.Attrs)
		best.Attributes, best.AttributesCut = attributesMessage(attrs), short
		best.AsPath, best.NextHop = "", "" // see decode
	}
	data := encode(m)
	if len(data) > recordSize {
		cut(m)
		data = encode(m)
	}
	key, gone := keyOf(ev.Change)
	if key != "" {
		key = string([]byte{kindOctet(ev.Kind())}) + key
	}
	return journal.Record{Time: ev.At, Kind: uint16(ev.Kind()), Key: key, Gone: gone, Taken: taken, Data: data}
}

// shortestElement is how many octets an element of a list of communities takes at least in
// a record.
const shortestElement = 5

// shortened returns a, or if its lists of communities are too long for any record, a copy
// with as much of them as a cut record keeps: a neighbor may flap routes with 16,000
// communities, and to spell all of them out takes milliseconds.
func shortened(a *route.Attrs) (*route.Attrs, bool) {
	const most = recordSize / shortestElement
	if len(a.Communities) <= most && len(a.LargeCommunities) <= most && len(a.ExtCommunities) <= most {
		return a, false
	}
	b := *a
	b.Communities = b.Communities[:min(len(b.Communities), recordList)]
	b.LargeCommunities = b.LargeCommunities[:min(len(b.LargeCommunities), recordList)]
	b.ExtCommunities = b.ExtCommunities[:min(len(b.ExtCommunities), recordList)]
	return &b, true
}

// gapKey is the key of a gap after which the state is not known yet.
const gapKey = "\x00gap"

// GapRecord returns the record which says that events are missing. Until one with known
// follows, the state may be wrong.
func GapRecord(at time.Time, lost uint64, reason string, known bool) journal.Record {
	m := &nvadv1.WatchEvent{Change: &nvadv1.WatchEvent_Gap{Gap: &nvadv1.Gap{Lost: lost, Reason: printable(reason)}}}
	return journal.Record{Time: at, Key: gapKey, Gone: known, Taken: known, Data: encode(m)}
}

func encode(m *nvadv1.WatchEvent) []byte {
	data, err := proto.Marshal(m)
	if err != nil {
		panic("api: " + err.Error()) // only text that is not UTF-8 does that, see printable
	}
	return data
}

// decode reads the data of r. What can't be read is a gap.
func decode(r *journal.Record) *nvadv1.WatchEvent {
	m := &nvadv1.WatchEvent{}
	if err := proto.Unmarshal(r.Data, m); err != nil || r.Damaged {
		m = &nvadv1.WatchEvent{Change: &nvadv1.WatchEvent_Gap{Gap: &nvadv1.Gap{Reason: damagedText}}}
	}
	m.Time = stamp(r.Time)
	if best := m.GetRoute().GetNew(); best.GetAttributes() != nil {
		best.AsPath, best.NextHop = best.Attributes.AsPath, best.Attributes.NextHop
	}
	return m
}

const damagedText = "the journal is damaged: what it had recorded here can't be read"

// kindOctet begins the keys of a kind, so that they are ordered by kind.
func kindOctet(k watch.Kind) byte { return byte(bits.TrailingZeros16(uint16(k)) + 1) }

// keyOf returns the key of what c changes, without the octet of its kind, and whether it
// has gone. The keys of addresses and prefixes are ordered as those are. Empty: c is no
// part of the state.
func keyOf(c watch.Change) (key string, gone bool) {
	switch c := c.(type) {
	case watch.Neighbor:
		return addressKey(c.Address), false
	case watch.Route:
		return prefixKey(c.Prefix), c.New.Attrs == nil
	case watch.Forwarding:
		if !c.Prefix.IsValid() {
			return "", false
		}
		return prefixKey(c.Prefix) + c.Class, c.State == "removed"
	case watch.Tunnel:
		if c.New == "repaired" {
			return "", false
		}
		return named(c.Name), false
	case watch.NextHop:
		return addressKey(c.Address), c.Alive
	case watch.Operation:
		return operationKey(c)
	case watch.Problem:
		return named(c.Key), !c.Began
	case watch.Life:
		return "nvad", false
	}
	return "", false
}

// operationKey is the key of an operation with a lasting effect.
func operationKey(o watch.Operation) (key string, gone bool) {
	if o.Error != "" {
		return "", false
	}
	switch o.What {
	case "drain", "undrain":
		return "drain", o.What == "undrain"
	case "shutdown", "enable":
		return "shutdown " + named(o.Target), o.What == "enable"
	case "reload", "confirm", "rollback":
		return "configuration", false
	}
	return "", false
}

// named is the key of something with a name, which is never empty.
func named(s string) string { return "=" + s[:min(len(s), keySize)] }

func addressKey(a netip.Addr) string {
	return string(append([]byte{byte(a.BitLen() / 8)}, a.AsSlice()...))
}

func prefixKey(p netip.Prefix) string {
	return addressKey(p.Addr()) + string([]byte{byte(p.Bits())})
}

// prefixOf returns the prefix in the key of a route, best path or kernel's.
func prefixOf(key string) (netip.Prefix, bool) {
	const before = 2 // octets: the kind, and the length of the address
	if len(key) < before || len(key) <= before+int(key[1]) {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice([]byte(key[before : before+int(key[1])]))
	p := netip.PrefixFrom(addr, int(key[before+int(key[1])]))
	return p, ok && p.IsValid()
}

// cut makes a message fit into a record.
func cut(m *nvadv1.WatchEvent) {
	if best := m.GetRoute().GetNew(); best.GetAttributes() != nil {
		best.AttributesCut = true
		best.Attributes.Unknown = nil
	}
	cutTexts(m.ProtoReflect())
}

func cutTexts(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList():
			list := v.List()
			list.Truncate(min(list.Len(), recordList))
		case f.Kind() == protoreflect.StringKind && v.String() != clipped(v.String()):
			m.Set(f, protoreflect.ValueOfString(clipped(v.String())))
		case f.Kind() == protoreflect.MessageKind:
			cutTexts(v.Message())
		}
		return true
	})
}

// clipped returns at most recordText octets of s.
func clipped(s string) string {
	if len(s) <= recordText {
		return s
	}
	const mark = "…"
	return printable(s[:recordText-len(mark)-len("\uFFFD")]) + mark
}
