package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Open is a received OPEN (RFC 4271 4.2) with the capabilities that nvad uses.
type Open struct {
	ID            netip.Addr
	Version       uint8
	ASN           uint32
	HoldTime      time.Duration
	Families      route.Family
	FourOctetASN  bool // RFC 6793
	RouteRefresh  bool // RFC 2918
	Extended      bool // messages of more than 4,096 octets (RFC 8654)
	IPv6NextHops  bool // for IPv4 routes (RFC 8950)
	Graceful      bool // graceful restart (RFC 4724)
	Restarted     bool // R bit of graceful restart
	RestartTime   time.Duration
	Keeps         route.Family // families that graceful restart names
	Preserved     route.Family // those of them with the F bit
	Names         []string     // of all capabilities, for display
	roles         []byte       // RFC 9234; more than one is an error
	multiprotocol bool         // announces families at all
}

// Subcodes of OPEN Message Error (RFC 4271 6.2, RFC 5492 5, RFC 9234 4.2).
const (
	unsupportedVersion    = 1
	badPeerAS             = 2
	badIdentifier         = 3
	unacceptableHoldTime  = 6
	unsupportedCapability = 7
	roleMismatch          = 11
)

const (
	openLen       = 10  // octets of an OPEN's body before its optional parameters
	paramLen      = 2   // octets of an optional parameter before its value
	paramCapable  = 2   // the optional parameter that holds capabilities (RFC 5492 4)
	longestParam  = 253 // octets of a value that is not an error
	bgpVersion    = 4
	asTrans       = 23456           // stands for an ASN of four octets (RFC 6793 4.2.2)
	leastHoldTime = 3 * time.Second // unless it is 0, which is none (RFC 4271 4.2)
)

// ParseOpen decodes an OPEN. Errors are faults. Optional parameters and capabilities
// that nvad does not know are skipped.
func ParseOpen(m Message) (o Open, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Fault{Code: speaker.CodeOpen, Reason: fmt.Sprintf("OPEN cannot be decoded: %v", r)}
		}
	}()
	cut := &Fault{Code: speaker.CodeHeader, Subcode: badLength, Reason: "OPEN ends within its optional parameters"}
	b := m.Body()
	id, _ := netip.AddrFromSlice(b[5:9])
	o = Open{Version: b[0], ASN: uint32(binary.BigEndian.Uint16(b[1:])), HoldTime: time.Duration(binary.BigEndian.Uint16(b[3:])) * time.Second, ID: id}
	rest := b[openLen:]
	if len(rest) < int(b[9]) {
		return Open{}, cut
	}
	for rest = rest[:b[9]]; len(rest) > 0; {
		if len(rest) < paramLen || len(rest) < paramLen+int(rest[1]) || rest[1] > longestParam {
			return Open{}, cut
		}
		typ, value := rest[0], rest[paramLen:paramLen+int(rest[1])]
		rest = rest[paramLen+len(value):]
		if typ != paramCapable {
			continue
		}
		if err := o.addAll(value); err != nil {
			return Open{}, err
		}
	}
	if !o.multiprotocol {
		o.Families = route.IPv4 // RFC 4760 8
	}
	return o, nil
}

// Check returns the fault for which an OPEN from n is refused (RFC 4271 6.2, RFC 6286
// 2.2, RFC 9234 4.2). own is this router's identifier.
func (o *Open) Check(n *speaker.Neighbor, own netip.Addr) error {
	refuse := func(subcode uint8, data []byte, format string, args ...any) error {
		return &Fault{Code: speaker.CodeOpen, Subcode: subcode, Data: data, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case o.Version != bgpVersion:
		return refuse(unsupportedVersion, []byte{0, bgpVersion}, "it speaks BGP-%d, not BGP-4", o.Version)
	case o.ASN == 0: // RFC 7607
		return refuse(badPeerAS, nil, "it is AS 0")
	case n.RemoteASN == 0 && o.ASN == n.LocalASN:
		return refuse(badPeerAS, nil, "it is AS %d as this router, not external", o.ASN)
	case n.RemoteASN != 0 && o.ASN != n.RemoteASN:
		return refuse(badPeerAS, nil, "it is AS %d, not %d", o.ASN, n.RemoteASN)
	case o.ID.IsUnspecified():
		return refuse(badIdentifier, nil, "its router ID is %s", o.ID)
	case o.ID == own && o.ASN == n.LocalASN:
		return refuse(badIdentifier, nil, "its router ID is this router's own, %s", o.ID)
	case o.HoldTime > 0 && o.HoldTime < leastHoldTime:
		return refuse(unacceptableHoldTime, nil, "it is %s, the least is %s", o.HoldTime, leastHoldTime)
	}
	switch {
	case n.Role == "", len(o.roles) == 1 && roleName(o.roles[0]) == n.Role:
		return nil
	case len(o.roles) == 0 && n.RoleStrict:
		return refuse(roleMismatch, nil, "the neighbor announces no role, but role-strict asks for %s", n.Role)
	case len(o.roles) == 0:
		return nil
	}
	var names []string
	for _, r := range o.roles {
		names = append(names, roleName(r))
	}
	return refuse(roleMismatch, nil, "the neighbor says it is %s, configured is %s", strings.Join(names, " and "), n.Role)
}

// Stripped encodes o anew with the capabilities that GoBGP's state machine needs and
// no others: GoBGP decodes an OPEN without recover, so it never sees a neighbor's.
func (o *Open) Stripped() Message {
	caps := appendFamily(nil, route.IPv4)
	if o.FourOctetASN {
		caps = appendASN(caps, o.ASN)
	}
	return encodeOpen(o.Version, o.ASN, o.HoldTime, o.ID, caps)
}

// Restart is this router's state in the graceful restart capability (RFC 4724 3).
type Restart struct {
	Restarted bool // R bit: it has restarted, and waits for End-of-RIB
	Preserved bool // F bit: it still forwards as it did before this session
}

// NewOpen encodes the OPEN that nvad sends to n. id is this router's identifier.
func NewOpen(n *speaker.Neighbor, id netip.Addr, r Restart) Message {
	return encodeOpen(bgpVersion, n.LocalASN, n.HoldTime, id, capabilities(n, r))
}

// encodeOpen encodes an OPEN whose capabilities are shorter than 254 octets.
func encodeOpen(version uint8, asn uint32, hold time.Duration, id netip.Addr, caps []byte) Message {
	body := binary.BigEndian.AppendUint16([]byte{version}, twoOctetASN(asn))
	body = binary.BigEndian.AppendUint16(body, uint16(hold/time.Second))
	body = append(body, id.AsSlice()...)
	body = append(body, byte(len(caps)+paramLen), paramCapable, byte(len(caps)))
	return NewMessage(TypeOpen, append(body, caps...))
}

func twoOctetASN(asn uint32) uint16 {
	if asn > 0xffff {
		return asTrans
	}
	return uint16(asn)
}

// roles are the values of the role capability by the name of the sender's role
// (RFC 9234 4.1).
var roles = []string{"provider", "rs-server", "rs-client", "customer", "peer"}

// counterparts are the roles of this router by those of its neighbor.
var counterparts = map[string]string{
	"provider": "customer", "customer": "provider", "rs-server": "rs-client", "rs-client": "rs-server", "peer": "peer",
}

func roleValue(neighbor string) byte { return byte(slices.Index(roles, counterparts[neighbor])) }

func roleName(r byte) string {
	if int(r) < len(roles) {
		return roles[r]
	}
	return fmt.Sprintf("role %d", r)
}
