package wire

import (
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Address families (RFC 4760 3), and the only SAFI that nvad speaks.
const (
	afiIPv4     = 1
	afiIPv6     = 2
	safiUnicast = 1
)

// familyOf returns the family of an AFI and SAFI, 0 for one that nvad does not speak.
func familyOf(afi uint16, safi uint8) route.Family {
	switch {
	case safi != safiUnicast:
		return 0
	case afi == afiIPv4:
		return route.IPv4
	case afi == afiIPv6:
		return route.IPv6
	}
	return 0
}

func afiOf(f route.Family) byte {
	if f == route.IPv4 {
		return afiIPv4
	}
	return afiIPv6
}

// NewRouteRefresh asks a neighbor to announce all routes of f again (RFC 2918 3).
func NewRouteRefresh(f route.Family) Message {
	return NewMessage(TypeRouteRefresh, []byte{0, afiOf(f), 0, safiUnicast})
}

// ParseRouteRefresh returns the family that a ROUTE-REFRESH asks for. It is 0 for a
// family that nvad does not speak, and for the subtypes that mark the beginning and
// the end of a refresh (RFC 7313 3.2), which nvad does not negotiate.
func ParseRouteRefresh(m Message) (route.Family, error) {
	b := m.Body()
	if len(b) != 4 {
		return 0, &Fault{Code: speaker.CodeRefresh, Subcode: 1, Data: m, Reason: "ROUTE-REFRESH with a wrong length"}
	}
	if b[2] != 0 {
		return 0, nil
	}
	return familyOf(uint16(b[0])<<8|uint16(b[1]), b[3]), nil
}
