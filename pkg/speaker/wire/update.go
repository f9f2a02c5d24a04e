package wire

import (
	"encoding/binary"
	"net/netip"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// parts are the fields of an UPDATE.
type parts struct {
	eor       route.Family // the UPDATE is an End-of-RIB (RFC 4724 2)
	withdrawn []netip.Prefix
	nlri      []netip.Prefix // of the NLRI field
	reach     []netip.Prefix // of MP_REACH_NLRI
	nextHop   netip.Addr     // of MP_REACH_NLRI
	attrs     []byte         // without MP_REACH_NLRI and MP_UNREACH_NLRI
	reachable bool           // announces something, perhaps of another family
	other     bool           // has attributes besides MP_UNREACH_NLRI
	bad       *speaker.Malformed
}

// split reads the three fields of an UPDATE (RFC 4271 4.3).
func (d *Decoder) split(body []byte) (u parts, err error) {
	withdrawn, rest, ok := cut(body)
	if !ok {
		return u, updateFault(malformedAttributeList, nil, speaker.WrongFrame, 0, "withdrawn routes exceed the message")
	}
	attrs, nlri, ok := cut(rest)
	if !ok {
		return u, updateFault(malformedAttributeList, nil, speaker.WrongFrame, 0, "path attributes exceed the message")
	}
	if len(body) == 4 {
		u.eor = route.IPv4
		return u, nil
	}
	if u.withdrawn, err = parsePrefixes(withdrawn, route.IPv4); err != nil {
		return u, err
	}
	if u.nlri, err = parsePrefixes(nlri, route.IPv4); err != nil {
		return u, err
	}
	u.reachable = len(nlri) > 0
	if !d.Families.Has(route.IPv4) {
		u.withdrawn, u.nlri = nil, nil
	}
	return u, d.walk(attrs, &u, len(withdrawn)+len(nlri) == 0)
}

// cut splits off a field that is preceded by its length.
func cut(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// walk takes MP_REACH_NLRI and MP_UNREACH_NLRI out of the attributes. alone
// says that there are no other fields, as in an End-of-RIB.
func (d *Decoder) walk(attrs []byte, u *parts, alone bool) error {
	d.rest = d.rest[:0]
	var seen [2]bool // MP_REACH_NLRI, MP_UNREACH_NLRI
	for b := attrs; len(b) > 0; {
		size, value, bad := frameAttr(b)
		if bad != nil {
			u.bad = strongest(u.bad, bad)
			u.other = true
			break
		}
		whole := b[:size]
		b = b[size:]
		typ := whole[1]
		if typ != attrMPReach && typ != attrMPUnreach {
			d.rest = append(d.rest, whole...)
			continue
		}
		if seen[typ-attrMPReach] {
			return updateFault(malformedAttributeList, nil, speaker.Duplicate, typ, "%s appears twice (RFC 7606 3 g)", attrName(typ))
		}
		seen[typ-attrMPReach] = true
		u.bad = strongest(u.bad, checkFlags(whole[0], typ))
		var err error
		if typ == attrMPReach {
			err = d.mpReach(value, u)
		} else {
			err = d.mpUnreach(value, u, alone && len(whole) == len(attrs) && u.bad == nil)
		}
		if err != nil {
			return err
		}
	}
	u.attrs = d.rest
	u.other = u.other || seen[0] || len(d.rest) > 0
	return nil
}

// frameAttr returns the length of the first attribute in b, and its value; or
// why it does not fit (RFC 7606 4).
func frameAttr(b []byte) (size int, value []byte, bad *speaker.Malformed) {
	header := 3
	if b[0]&flagExtended != 0 {
		header = 4
	}
	if len(b) < header {
		return 0, nil, found(withdraw, speaker.WrongFrame, 0, "path attributes end within the header of one (RFC 7606 4)")
	}
	n := int(b[2])
	if header == 4 {
		n = int(binary.BigEndian.Uint16(b[2:]))
	}
	if len(b) < header+n {
		return 0, nil, found(withdraw, speaker.WrongFrame, b[1], "%s exceeds the path attributes (RFC 7606 4)", attrName(b[1]))
	}
	return header + n, b[header : header+n], nil
}

// mpReach reads MP_REACH_NLRI (RFC 4760 3). Whatever is wrong with it, the
// prefixes it announces are unknown, so the session must end (RFC 7606 5.3, 7.11).
func (d *Decoder) mpReach(v []byte, u *parts) error {
	if len(v) < 5 || len(v) < 5+int(v[3]) {
		return updateFault(optionalAttribute, nil, speaker.WrongLength, attrMPReach, "MP_REACH_NLRI is too short (RFC 7606 7.11)")
	}
	family := familyOf(binary.BigEndian.Uint16(v), v[2])
	if family == 0 || !d.Families.Has(family) {
		u.reachable = true // perhaps, and in a form that nvad does not know
		return nil
	}
	hop, nlri := v[4:4+int(v[3])], v[5+int(v[3]):]
	u.reachable = u.reachable || len(nlri) > 0
	switch {
	case len(hop) == 16, len(hop) == 32: // global, and perhaps link-local (RFC 2545 3)
		u.nextHop = netip.AddrFrom16([16]byte(hop))
	case len(hop) == 4 && family == route.IPv4:
		u.nextHop = netip.AddrFrom4([4]byte(hop))
	default:
		return updateFault(optionalAttribute, nil, speaker.WrongLength, attrMPReach, "MP_REACH_NLRI has a next hop of %d octets (RFC 7606 7.11)", len(hop))
	}
	var err error
	u.reach, err = parsePrefixes(nlri, family)
	return err
}

// mpUnreach reads MP_UNREACH_NLRI (RFC 4760 4). If it is empty and there is nothing
// else in the message, the UPDATE is an End-of-RIB (RFC 4724 2).
func (d *Decoder) mpUnreach(v []byte, u *parts, alone bool) error {
	if len(v) < 3 {
		return updateFault(optionalAttribute, nil, speaker.WrongLength, attrMPUnreach, "MP_UNREACH_NLRI is too short (RFC 7606 7.12)")
	}
	family := familyOf(binary.BigEndian.Uint16(v), v[2])
	if family == 0 || !d.Families.Has(family) {
		return nil
	}
	if len(v) == 3 && alone {
		u.eor = family
		return nil
	}
	gone, err := parsePrefixes(v[3:], family)
	u.withdrawn = append(u.withdrawn, gone...)
	return err
}

// parsePrefixes reads a list of prefixes (RFC 4271 4.3). Bits behind the length
// are cleared, as they carry no meaning.
func parsePrefixes(b []byte, family route.Family) ([]netip.Prefix, error) {
	if len(b) == 0 {
		return nil, nil
	}
	longest := 32
	if family == route.IPv6 {
		longest = 128
	}
	out := make([]netip.Prefix, 0, countPrefixes(b))
	for len(b) > 0 {
		bits := int(b[0])
		n := 1 + (bits+7)/8
		if bits > longest || n > len(b) {
			return nil, updateFault(invalidNetworkField, nil, speaker.WrongPrefix, 0, "prefix of length %d in %d octets (RFC 7606 5.3)", bits, len(b)-1)
		}
		var addr netip.Addr
		if family == route.IPv4 {
			var ip [4]byte
			copy(ip[:], b[1:n])
			addr = netip.AddrFrom4(ip)
		} else {
			var ip [16]byte
			copy(ip[:], b[1:n])
			addr = netip.AddrFrom16(ip)
		}
		p, _ := addr.Prefix(bits)
		out = append(out, p)
		b = b[n:]
	}
	return out, nil
}

func countPrefixes(b []byte) int {
	n := 0
	for i := 0; i < len(b); i += 1 + (int(b[i])+7)/8 {
		n++
	}
	return n
}
