package gobgp

import (
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/speaker"
)

// excess is what is too much of a set of attributes that routes need; nil: nothing.
// It looks at the octets alone: what is too much is not worth being decoded.
func (d *decoder) excess(raw []byte) *speaker.Malformed {
	if d.maxOctets > 0 && len(raw) > d.maxOctets {
		return found(withdraw, speaker.OverLimit, 0, "path attributes of more than %d octets (maximum-attribute-octets)", d.maxOctets)
	}
	if d.maxASPath == 0 {
		return nil
	}
	for len(raw) > 0 {
		size, value, why := frameAttr(raw)
		if why != nil {
			break
		}
		typ, width := raw[1], 4
		switch bgp.BGPAttrType(typ) {
		case bgp.BGP_ATTR_TYPE_AS_PATH:
			if d.twoOctet {
				width = 2
			}
			fallthrough
		case bgp.BGP_ATTR_TYPE_AS4_PATH:
			if countASNs(value, width) > d.maxASPath {
				return found(withdraw, speaker.OverLimit, typ, "%s has more than %d ASNs (maximum-as-path)", attrName(typ), d.maxASPath)
			}
		}
		raw = raw[size:]
	}
	return nil
}
