package wire

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Decoder turns the UPDATEs of one session into events. It parses a set of
// attributes once: after that the set is found in a cache by its octets.
type Decoder struct {
	DecoderOptions
	bad   *speaker.Malformed // of the UPDATE being decoded
	cache attrCache
	key   []byte // scratch
	rest  []byte // scratch
}

// DecoderOptions describe the session and its neighbor.
type DecoderOptions struct {
	Interner *route.Interner
	From     speaker.From
	Families route.Family // negotiated
	Internal bool         // iBGP
	TwoOctet bool         // the neighbor knows no 4-octet ASNs (RFC 6793)
	Loopback bool         // both ends are loopback addresses, so next hops may be
	// MaxASPath ASNs and MaxAttributes octets of attributes, MP_REACH_NLRI not
	// counted, are accepted in a set; 0: any number.
	MaxASPath, MaxAttributes int
}

// NewDecoder returns a Decoder for a new session.
func NewDecoder(o DecoderOptions) *Decoder { return &Decoder{DecoderOptions: o} }

// CacheOctets estimates the memory that the cache holds. It may be called from any
// goroutine.
func (d *Decoder) CacheOctets() int { return int(d.cache.held.Load()) }

// asnLen is the number of octets of an ASN in AS_PATH and AGGREGATOR.
func (d *Decoder) asnLen() int {
	if d.TwoOctet {
		return 2
	}
	return 4
}

// Update decodes the body of an UPDATE and emits what it says, in events of at most
// some hundred prefixes each, until emit returns false. It returns what was malformed,
// nil if nothing was. The error is a [Fault] that ends the session; other errors have
// been handled as RFC 7606 prescribes.
func (d *Decoder) Update(body []byte, emit func(speaker.Event) bool) (bad *speaker.Malformed, err error) {
	d.bad = nil
	defer func() {
		if r := recover(); r != nil {
			err = updateFault(malformedAttributeList, nil, speaker.WrongFrame, 0, "UPDATE cannot be decoded: %v", r)
		}
		if bad = d.bad; err != nil {
			bad = err.(*Fault).Malformed
		}
	}()
	u, err := d.split(body)
	if err != nil {
		return nil, err
	}
	if u.eor != 0 {
		if d.Families.Has(u.eor) {
			emit(speaker.EndOfRIB{From: d.From, Family: u.eor})
		}
		return nil, nil
	}
	return nil, d.emit(u, func(ev speaker.Update) {
		for piece := range pieces(ev) {
			if !emit(piece) {
				return
			}
		}
	})
}

// Subcodes of UPDATE Message Error (RFC 4271 6.3).
const (
	malformedAttributeList = 1
	unrecognizedWellKnown  = 2
	missingWellKnown       = 3
	optionalAttribute      = 9
	invalidNetworkField    = 10
)

// updateFault returns an error that ends the session. typ is the type of the attribute
// at fault, 0 if it is not one.
func updateFault(subcode uint8, data []byte, class speaker.Class, typ uint8, format string, args ...any) error {
	m := found(speaker.SessionReset, class, typ, format, args...)
	return &Fault{Code: speaker.CodeUpdate, Subcode: subcode, Data: data, Reason: m.Text, Malformed: m}
}

// found returns an error of the attribute typ. The text has names, numbers and the
// rule only, so it stays short whatever was received.
func found(action speaker.Action, class speaker.Class, typ uint8, format string, args ...any) *speaker.Malformed {
	return &speaker.Malformed{Action: action, Class: class, Attribute: typ, Text: fmt.Sprintf(format, args...)}
}

// strongest returns the error that decides what becomes of an UPDATE with both; a if
// they are equally strong (RFC 7606 3 h).
func strongest(a, b *speaker.Malformed) *speaker.Malformed {
	if a == nil || b != nil && b.Action > a.Action {
		return b
	}
	return a
}

// emit makes events of an UPDATE. One that has both prefixes in the NLRI field and
// MP_REACH_NLRI has two next hops, so it becomes two events.
func (d *Decoder) emit(u parts, emit func(speaker.Update)) error {
	ev := speaker.Update{From: d.From, Withdrawn: u.withdrawn}
	if !u.other && len(u.nlri) == 0 && u.bad == nil {
		if len(ev.Withdrawn) > 0 {
			emit(ev)
		}
		return nil
	}
	if len(u.nlri) > 0 || len(u.reach) == 0 {
		if err := d.finish(&ev, u, u.nlri, netip.Addr{}); err != nil {
			return err
		}
		if len(ev.Withdrawn)+len(ev.Announced) > 0 || ev.Err != nil {
			emit(ev)
		}
		ev = speaker.Update{From: d.From}
	}
	if len(u.reach) > 0 {
		if err := d.finish(&ev, u, u.reach, u.nextHop); err != nil {
			return err
		}
		emit(ev)
	}
	return nil
}

// finish adds announced prefixes with their attributes to ev. If the attributes are
// malformed, it withdraws the prefixes instead, or returns the error that ends the
// session. nextHop is that of MP_REACH_NLRI, if valid.
func (d *Decoder) finish(ev *speaker.Update, u parts, announced []netip.Prefix, nextHop netip.Addr) error {
	attrs, bad, err := d.attributes(u.attrs, nextHop, len(announced) > 0)
	if err != nil {
		return err
	}
	bad = strongest(u.bad, bad)
	d.bad = strongest(d.bad, bad)
	if bad == nil || bad.Action == discard {
		ev.Err = bad
		if len(announced) > 0 {
			ev.Attrs, ev.Announced = attrs, announced
		}
		return nil
	}
	if u.other && !u.reachable {
		// The attributes can't be trusted, so MP_REACH_NLRI may have been overlooked,
		// and the routes it announced are unknown: they can't be withdrawn.
		return updateFault(malformedAttributeList, nil, bad.Class, bad.Attribute, "%s, and nothing is announced (RFC 7606 5.2)", bad.Text)
	}
	why := *bad // the other event of this UPDATE has other routes
	why.Routes = len(announced)
	ev.Err = &why
	ev.Withdrawn = append(ev.Withdrawn, announced...)
	return nil
}

// mostPrefixes is the largest number of prefixes in an event. An UPDATE of 65 kB can
// name more than 32,000, which take 32 octets each once they are decoded, and some
// hundred events wait for the engine.
const mostPrefixes = 512

// pieces cuts u into events of few prefixes, in its order: withdrawals first. Each has
// prefixes of its own, so that none keeps all of them in memory. The error goes with
// the prefixes that are treated as withdrawn because of it; if there are none, with the
// first announced ones.
func pieces(u speaker.Update) iter.Seq[speaker.Update] {
	return func(yield func(speaker.Update) bool) {
		if len(u.Withdrawn)+len(u.Announced) <= mostPrefixes {
			yield(u)
			return
		}
		treated := len(u.Withdrawn) // index of the first that is treated as withdrawn
		if u.Err != nil {
			treated -= u.Err.Routes
		}
		for i := 0; i < len(u.Withdrawn); i += mostPrefixes {
			end := min(i+mostPrefixes, len(u.Withdrawn))
			piece := speaker.Update{From: u.From, Withdrawn: slices.Clone(u.Withdrawn[i:end])}
			if end > treated {
				bad := *u.Err
				bad.Routes = end - max(i, treated)
				piece.Err = &bad
			}
			if !yield(piece) {
				return
			}
		}
		rest := u.Err
		if treated < len(u.Withdrawn) {
			rest = nil
		}
		for announced := range slices.Chunk(u.Announced, mostPrefixes) {
			if !yield(speaker.Update{From: u.From, Attrs: u.Attrs, Announced: slices.Clone(announced), Err: rest}) {
				return
			}
			rest = nil
		}
		if rest != nil {
			yield(speaker.Update{From: u.From, Err: rest})
		}
	}
}
