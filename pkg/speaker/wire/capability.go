package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Codes of the capabilities that nvad uses.
const (
	capMultiprotocol   = 1  // RFC 4760 8
	capRouteRefresh    = 2  // RFC 2918 2
	capExtendedNextHop = 5  // RFC 8950 4
	capExtendedMessage = 6  // RFC 8654 3
	capRole            = 9  // RFC 9234 4.1
	capGracefulRestart = 64 // RFC 4724 3
	capFourOctetASN    = 65 // RFC 6793 3
)

// capabilityNames are those of the IANA registry of capability codes.
var capabilityNames = map[uint8]string{
	1: "Multiprotocol Extensions", 2: "Route Refresh", 3: "Outbound Route Filtering", 5: "Extended Next Hop Encoding",
	6: "Extended Message", 7: "BGPsec", 8: "Multiple Labels", 9: "BGP Role", 64: "Graceful Restart", 65: "4-octet AS Number",
	66: "Dynamic Capability", 67: "Dynamic Capability", 68: "Multisession BGP", 69: "ADD-PATH", 70: "Enhanced Route Refresh",
	71: "Long-Lived Graceful Restart", 73: "FQDN", 75: "Software Version", 76: "PATHS-LIMIT", 128: "Route Refresh (pre-standard)",
}

func capabilityName(code uint8) string {
	if name, ok := capabilityNames[code]; ok {
		return name
	}
	return fmt.Sprintf("code %d", code)
}

// addAll reads the capabilities of one optional parameter (RFC 5492 4).
func (o *Open) addAll(b []byte) error {
	for len(b) >= 2 {
		code, n := b[0], 2+int(b[1])
		if len(b) < n {
			return badCapability(code, "ends within its value")
		}
		if err := o.add(code, b[2:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func badCapability(code uint8, format string, args ...any) error {
	return &Fault{Code: speaker.CodeOpen, Subcode: unsupportedCapability,
		Reason: "capability " + capabilityName(code) + " " + fmt.Sprintf(format, args...)}
}

// add reads one capability.
func (o *Open) add(code uint8, v []byte) error {
	name := capabilityName(code)
	switch code {
	case capMultiprotocol:
		if len(v) != 4 {
			return badCapability(code, "has %d octets, not 4", len(v))
		}
		afi := binary.BigEndian.Uint16(v)
		if f := familyOf(afi, v[3]); f != 0 {
			name += " (" + f.String() + ")"
		} else {
			name += fmt.Sprintf(" (AFI %d SAFI %d)", afi, v[3])
		}
		o.multiprotocol = true
		o.Families |= familyOf(afi, v[3])
	case capFourOctetASN:
		if len(v) != 4 {
			return badCapability(code, "has %d octets, not 4", len(v))
		}
		o.FourOctetASN, o.ASN = true, binary.BigEndian.Uint32(v)
	case capRouteRefresh:
		o.RouteRefresh = true
	case capExtendedMessage:
		o.Extended = true
	case capExtendedNextHop:
		if len(v) == 0 || len(v)%6 != 0 {
			return badCapability(code, "has %d octets, not a multiple of 6", len(v))
		}
		for t := range slices.Chunk(v, 6) { // AFI, SAFI in two octets, AFI of the next hop
			o.IPv6NextHops = o.IPv6NextHops || slices.Equal(t, []byte{0, afiIPv4, 0, safiUnicast, 0, afiIPv6})
		}
	case capRole:
		if len(v) == 1 && !slices.Contains(o.roles, v[0]) {
			o.roles = append(o.roles, v[0])
		}
	case capGracefulRestart:
		if len(v) < 2 {
			return badCapability(code, "has %d octets, fewer than 2", len(v))
		}
		o.gracefulRestart(v)
	}
	o.Names = append(o.Names, name)
	return nil
}

// gracefulRestart reads the flags, the time in 12 bits, and four octets for each
// family (RFC 4724 3). Of several such capabilities the last one counts.
func (o *Open) gracefulRestart(v []byte) {
	head := binary.BigEndian.Uint16(v)
	o.Graceful, o.Restarted = true, head&0x8000 != 0
	o.RestartTime = time.Duration(head&0xfff) * time.Second
	o.Keeps, o.Preserved = 0, 0
	for v = v[2:]; len(v) >= 4; v = v[4:] {
		f := familyOf(binary.BigEndian.Uint16(v), v[2])
		o.Keeps |= f
		if v[3]&0x80 != 0 {
			o.Preserved |= f
		}
	}
}

// capabilities encodes those that nvad announces to n, fewer than 254 octets.
func capabilities(n *speaker.Neighbor, r Restart) []byte {
	var b []byte
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		if n.Families.Has(f) {
			b = appendFamily(b, f)
		}
	}
	b = append(b, capRouteRefresh, 0)
	if n.Families.Has(route.IPv4) && n.Address.Is6() {
		b = append(b, capExtendedNextHop, 6, 0, afiIPv4, 0, safiUnicast, 0, afiIPv6)
	}
	b = append(b, capExtendedMessage, 0)
	b = appendASN(b, n.LocalASN)
	if n.Role != "" {
		b = append(b, capRole, 1, roleValue(n.Role))
	}
	return appendGracefulRestart(b, n, r)
}

func appendFamily(b []byte, f route.Family) []byte {
	return append(b, capMultiprotocol, 4, 0, afiOf(f), 0, safiUnicast)
}

func appendASN(b []byte, asn uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, capFourOctetASN, 4), asn)
}

// appendGracefulRestart announces that this router keeps forwarding while nvad
// restarts, unless it is configured not to.
func appendGracefulRestart(b []byte, n *speaker.Neighbor, r Restart) []byte {
	if n.RestartTime <= 0 {
		return b
	}
	flag := func(set bool) byte {
		if set {
			return 0x80
		}
		return 0
	}
	seconds := min(int(n.RestartTime/time.Second), 0xfff)
	start := len(b)
	b = append(b, capGracefulRestart, 0, flag(r.Restarted)|byte(seconds>>8), byte(seconds))
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		if n.Families.Has(f) {
			b = append(b, 0, afiOf(f), safiUnicast, flag(r.Preserved))
		}
	}
	b[start+1] = byte(len(b) - start - 2)
	return b
}
