package gobgp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// open is what nvad wants to know of a received OPEN (RFC 4271 4.2).
type open struct {
	id         netip.Addr
	version    uint8
	asn        uint32
	holdTime   time.Duration
	families   route.Family
	fourOctet  bool // RFC 6793
	refresh    bool // RFC 2918
	extended   bool // RFC 8654
	v6NextHops bool // IPv4 routes with IPv6 next hops (RFC 8950)
	graceful   bool // RFC 4724
	restarted  bool
	restart    time.Duration
	keeps      route.Family // families of the graceful restart capability
	preserved  route.Family // of these, with the F bit
	roles      []byte       // RFC 9234; more than one is an error
	names      []string
}

// parseOpen reads an OPEN. Errors are faults, also a panic of the decoder.
func parseOpen(m message) (o open, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &fault{bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, fmt.Sprintf("OPEN cannot be decoded: %v", r)}
		}
	}()
	body := &bgp.BGPOpen{}
	if err := body.DecodeFromBytes(m.body()); err != nil {
		return open{}, openFault(err)
	}
	o = open{version: body.Version, id: body.ID, asn: uint32(body.MyAS), holdTime: time.Duration(body.HoldTime) * time.Second}
	multiprotocol := false
	for _, param := range body.OptParams {
		caps, ok := param.(*bgp.OptionParameterCapability)
		if !ok {
			continue
		}
		for _, c := range caps.Capability {
			multiprotocol = multiprotocol || c.Code() == bgp.BGP_CAP_MULTIPROTOCOL
			o.add(c)
		}
	}
	if !multiprotocol {
		o.families = route.IPv4 // RFC 4760 8
	}
	return o, nil
}

// openFault is the fault for an error of GoBGP's decoder.
func openFault(err error) error {
	f := &fault{bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, err.Error()}
	var e *bgp.MessageError
	if errors.As(err, &e) {
		f.code, f.subcode, f.data = e.TypeCode, e.SubTypeCode, e.Data
	}
	return f
}

// check refuses an OPEN as RFC 4271 6.2 and RFC 6286 2.2 have it.
func (o *open) check(n *speaker.Neighbor, own netip.Addr) error {
	refuse := func(subcode uint8, data []byte, format string, args ...any) error {
		return &fault{bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, subcode, data, fmt.Sprintf(format, args...)}
	}
	switch {
	case o.version != 4:
		return refuse(bgp.BGP_ERROR_SUB_UNSUPPORTED_VERSION_NUMBER, []byte{0, 4}, "it speaks BGP-%d, not BGP-4", o.version)
	case o.asn != n.RemoteASN:
		return refuse(bgp.BGP_ERROR_SUB_BAD_PEER_AS, nil, "it is AS %d, not %d", o.asn, n.RemoteASN)
	case o.id.IsUnspecified():
		return refuse(bgp.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER, nil, "its router ID is %s", o.id)
	case o.id == own && o.asn == n.LocalASN:
		return refuse(bgp.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER, nil, "its router ID is this router's own, %s", o.id)
	case o.holdTime > 0 && o.holdTime < leastHoldTime:
		return refuse(bgp.BGP_ERROR_SUB_UNACCEPTABLE_HOLD_TIME, nil, "it is %s, the least is %s", o.holdTime, leastHoldTime)
	}
	return o.checkRole(n.Role)
}

// leastHoldTime is that of RFC 4271 4.2, unless there is none.
const leastHoldTime = 3 * time.Second

func (o *open) add(c bgp.ParameterCapabilityInterface) {
	o.names = append(o.names, capabilityName(c))
	switch c := c.(type) {
	case *bgp.CapMultiProtocol:
		o.families |= familyOf(c.CapValue.Afi(), c.CapValue.Safi())
	case *bgp.CapFourOctetASNumber:
		o.fourOctet, o.asn = true, c.CapValue
	case *bgp.CapRouteRefresh:
		o.refresh = true
	case *bgp.CapExtendedMessage:
		o.extended = true
	case *bgp.CapExtendedNexthop:
		for _, t := range c.Tuples {
			o.v6NextHops = o.v6NextHops || t.NLRIAFI == bgp.AFI_IP && t.NLRISAFI == bgp.SAFI_UNICAST && t.NexthopAFI == bgp.AFI_IP6
		}
	case *bgp.CapUnknown:
		if c.Code() == capRole && len(c.CapValue) == 1 && !slices.Contains(o.roles, c.CapValue[0]) {
			o.roles = append(o.roles, c.CapValue[0])
		}
	case *bgp.CapGracefulRestart:
		o.graceful, o.restarted = true, c.Flags&0x8 != 0
		o.restart = time.Duration(c.Time) * time.Second
		o.keeps, o.preserved = 0, 0
		for _, t := range c.Tuples {
			f := familyOf(t.AFI, t.SAFI)
			o.keeps |= f
			if t.Flags&0x80 != 0 {
				o.preserved |= f
			}
		}
	}
}

// familyOf is 0 for families nvad does not speak.
func familyOf(afi uint16, safi uint8) route.Family {
	if safi != bgp.SAFI_UNICAST {
		return 0
	}
	switch afi {
	case bgp.AFI_IP:
		return route.IPv4
	case bgp.AFI_IP6:
		return route.IPv6
	}
	return 0
}

// capabilityNames are the names of the IANA registry of capability codes.
var capabilityNames = map[bgp.BGPCapabilityCode]string{
	1: "Multiprotocol Extensions", 2: "Route Refresh", 3: "Outbound Route Filtering", 5: "Extended Next Hop Encoding",
	6: "Extended Message", 7: "BGPsec", 8: "Multiple Labels", 9: "BGP Role", 64: "Graceful Restart", 65: "4-octet AS Number",
	66: "Dynamic Capability", 67: "Dynamic Capability", 68: "Multisession BGP", 69: "ADD-PATH", 70: "Enhanced Route Refresh",
	71: "Long-Lived Graceful Restart", 73: "FQDN", 75: "Software Version", 76: "PATHS-LIMIT", 128: "Route Refresh (pre-standard)",
}

func capabilityName(c bgp.ParameterCapabilityInterface) string {
	name, ok := capabilityNames[c.Code()]
	if !ok {
		return fmt.Sprintf("code %d", c.Code())
	}
	if mp, ok := c.(*bgp.CapMultiProtocol); ok {
		if f := familyOf(mp.CapValue.Afi(), mp.CapValue.Safi()); f != 0 {
			return name + " (" + f.String() + ")"
		}
		return fmt.Sprintf("%s (AFI %d SAFI %d)", name, mp.CapValue.Afi(), mp.CapValue.Safi())
	}
	return name
}

// forEngine encodes o anew for GoBGP, which decodes an OPEN without recover: what
// it gets was made here, with nothing in it but what its state machine needs.
// With a hold time of 0 in either OPEN the session runs without hold and keepalive
// timers (RFC 4271 4.2).
func (o *open) forEngine(n *speaker.Neighbor) message {
	hold := o.holdTime
	if n.HoldTime == 0 {
		hold = 0
	}
	caps := []byte{byte(bgp.BGP_CAP_MULTIPROTOCOL), 4, 0, bgp.AFI_IP, 0, bgp.SAFI_UNICAST}
	if o.fourOctet {
		caps = binary.BigEndian.AppendUint32(append(caps, byte(bgp.BGP_CAP_FOUR_OCTET_AS_NUMBER), 4), o.asn)
	}
	body := binary.BigEndian.AppendUint16([]byte{o.version}, twoOctetASN(o.asn))
	body = binary.BigEndian.AppendUint16(body, uint16(hold/time.Second))
	body = append(body, o.id.AsSlice()...)
	body = append(body, byte(len(caps)+2), bgp.BGP_OPT_CAPABILITY, byte(len(caps)))
	return newMessage(bgp.BGP_MSG_OPEN, append(body, caps...))
}

const openHoldOffset = headerLen + 3

// ownOpen is the OPEN that GoBGP has made with the capabilities that nvad
// announces in place of GoBGP's, among which is the name of the host.
func ownOpen(m message, n speaker.Neighbor, r restart) message {
	caps := capabilities(n, r)
	body := append([]byte(nil), m.body()[:9]...) // version, AS, hold time, identifier
	body = append(body, byte(len(caps)+2), bgp.BGP_OPT_CAPABILITY, byte(len(caps)))
	own := newMessage(bgp.BGP_MSG_OPEN, append(body, caps...))
	if n.HoldTime == 0 {
		binary.BigEndian.PutUint16(own[openHoldOffset:], 0)
	}
	return own
}

// capabilities are those of RFC 5492 that nvad announces, fewer than 255 octets.
func capabilities(n speaker.Neighbor, r restart) []byte {
	var b []byte
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		if n.Families.Has(f) {
			b = append(b, byte(bgp.BGP_CAP_MULTIPROTOCOL), 4, 0, afiOf(f), 0, bgp.SAFI_UNICAST)
		}
	}
	b = append(b, byte(bgp.BGP_CAP_ROUTE_REFRESH), 0)
	if n.Families.Has(route.IPv4) && n.Address.Is6() {
		b = append(b, byte(bgp.BGP_CAP_EXTENDED_NEXTHOP), 6, 0, bgp.AFI_IP, 0, bgp.SAFI_UNICAST, 0, bgp.AFI_IP6)
	}
	b = append(b, byte(bgp.BGP_CAP_EXTENDED_MESSAGE), 0)
	b = append(b, byte(bgp.BGP_CAP_FOUR_OCTET_AS_NUMBER), 4)
	b = binary.BigEndian.AppendUint32(b, n.LocalASN)
	b = appendRole(b, n.Role)
	return appendGracefulRestart(b, n, r)
}

// restart is what the graceful restart capability says of this router.
type restart struct {
	restarted bool // R: it has, and waits for End-of-RIB
	preserved bool // F: what it forwarded before this session it still does
}

// appendGracefulRestart announces that this router keeps forwarding while nvad
// restarts (RFC 4724 3).
func appendGracefulRestart(b []byte, n speaker.Neighbor, r restart) []byte {
	if n.RestartTime <= 0 {
		return b
	}
	flag := func(set bool) byte {
		if set {
			return 0x80
		}
		return 0
	}
	seconds := min(int(n.RestartTime/time.Second), 0xfff) // 12 bits
	start := len(b)
	b = append(b, byte(bgp.BGP_CAP_GRACEFUL_RESTART), 0, flag(r.restarted)|byte(seconds>>8), byte(seconds))
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		if n.Families.Has(f) {
			b = append(b, 0, afiOf(f), bgp.SAFI_UNICAST, flag(r.preserved))
		}
	}
	b[start+1] = byte(len(b) - start - 2)
	return b
}
