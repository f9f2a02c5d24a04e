package gobgp

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/speaker"
)

// describe puts n into words: the names of RFC 4271 4.5 and its successors.
func describe(n speaker.Notification) string {
	verb := "received"
	if n.Sent {
		verb = "sent"
	}
	return "NOTIFICATION " + verb + ": " + words(n)
}

// describeReceived is describe for what the neighbor of cfg sent, with what nvad
// knows of such neighbors.
func describeReceived(n speaker.Notification, cfg *speaker.Neighbor) string {
	switch {
	case n.Code == bgp.BGP_ERROR_CEASE && n.Subcode == bgp.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED && cfg.RemoteASN == routeServerASN:
		limit := n.Detail
		if limit == "" {
			limit = routeServerLimit
		}
		n.Detail = "Route Server counts current plus incoming routes, " + limit
	case n.Code == bgp.BGP_ERROR_OPEN_MESSAGE_ERROR && n.Subcode == bgp.BGP_ERROR_SUB_BAD_PEER_AS:
		n.Detail = fmt.Sprintf("it expects another AS than %d", cfg.LocalASN)
	}
	return describe(n)
}

// What is known of an Azure Route Server: its ASN, and the documented limit of
// routes from one neighbor.
const (
	routeServerASN   = 65515
	routeServerLimit = "limit 4,000"
)

// words are the names of code and subcode, then what the data says.
func words(n speaker.Notification) string {
	text := codeName(n.Code)
	if sub := subcodeName(n.Code, n.Subcode); sub != "" {
		text += "/" + sub
	}
	if n.Detail != "" {
		text += ": " + n.Detail
	}
	if n.Message != "" {
		text += fmt.Sprintf(" %q", n.Message)
	}
	return text
}

// detail puts the data of a NOTIFICATION into words; empty where the data says
// nothing, or is not what the RFC of the subcode has there.
func detail(code, subcode uint8, data []byte) string {
	switch code {
	case bgp.BGP_ERROR_MESSAGE_HEADER_ERROR:
		return headerDetail(subcode, data)
	case bgp.BGP_ERROR_OPEN_MESSAGE_ERROR:
		return openDetail(subcode, data)
	case bgp.BGP_ERROR_UPDATE_MESSAGE_ERROR:
		if len(data) >= 2 && subcode >= bgp.BGP_ERROR_SUB_UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE && subcode <= bgp.BGP_ERROR_SUB_OPTIONAL_ATTRIBUTE_ERROR {
			return updateDetail(subcode, data)
		}
	case bgp.BGP_ERROR_FSM_ERROR:
		if len(data) == 1 { // RFC 6608 3
			return messageName(data[0])
		}
	case bgp.BGP_ERROR_CEASE:
		return ceaseDetail(subcode, data)
	}
	return ""
}

// headerDetail is of RFC 4271 6.1.
func headerDetail(subcode uint8, data []byte) string {
	switch {
	case subcode == bgp.BGP_ERROR_SUB_BAD_MESSAGE_LENGTH && len(data) == 2:
		return fmt.Sprintf("%d bytes", binary.BigEndian.Uint16(data))
	case subcode == bgp.BGP_ERROR_SUB_BAD_MESSAGE_TYPE && len(data) == 1:
		return fmt.Sprintf("type %d", data[0])
	}
	return ""
}

// openDetail is of RFC 4271 6.2 and RFC 5492 5.
func openDetail(subcode uint8, data []byte) string {
	switch {
	case subcode == bgp.BGP_ERROR_SUB_UNSUPPORTED_VERSION_NUMBER && len(data) == 2:
		return fmt.Sprintf("version %d is supported", binary.BigEndian.Uint16(data))
	case subcode == bgp.BGP_ERROR_SUB_UNSUPPORTED_CAPABILITY:
		return capabilitiesDetail(data)
	}
	return ""
}

// capabilitiesDetail names the capabilities in data (RFC 5492 4).
func capabilitiesDetail(data []byte) string {
	var names []string
	for len(data) >= 2 {
		size := 2 + int(data[1])
		if size > len(data) {
			return ""
		}
		name, ok := capabilityNames[bgp.BGPCapabilityCode(data[0])]
		if !ok {
			name = fmt.Sprintf("code %d", data[0])
		}
		names = append(names, name)
		data = data[size:]
	}
	return strings.Join(names, ", ")
}

// updateDetail names the attribute in data, which begins with its flags and type;
// where it is missing there is the type alone (RFC 4271 6.3).
func updateDetail(subcode uint8, data []byte) string {
	kind := bgp.BGPAttrType(data[1])
	if subcode == bgp.BGP_ERROR_SUB_MISSING_WELL_KNOWN_ATTRIBUTE {
		kind = bgp.BGPAttrType(data[0])
	}
	if name, ok := bgp.PathAttrFlags[kind]; !ok || name == 0 {
		return fmt.Sprintf("attribute %d", kind)
	}
	return strings.TrimPrefix(kind.String(), "BGP_ATTR_TYPE_")
}

// ceaseDetail is of RFC 4486 4 and RFC 8538 3.1.
func ceaseDetail(subcode uint8, data []byte) string {
	switch {
	case subcode == bgp.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED && len(data) == 7:
		return "limit " + grouped(binary.BigEndian.Uint32(data[3:]))
	case subcode == bgp.BGP_ERROR_SUB_HARD_RESET && len(data) >= 2:
		inner := speaker.Notification{Code: data[0], Subcode: data[1], Message: communication(data)}
		if inner.Code != bgp.BGP_ERROR_CEASE || inner.Subcode != bgp.BGP_ERROR_SUB_HARD_RESET { // no nests without end
			inner.Detail = detail(inner.Code, inner.Subcode, data[2:])
		}
		return words(inner)
	}
	return ""
}

// grouped is n with commas between thousands.
func grouped(n uint32) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func messageName(kind uint8) string {
	switch kind {
	case bgp.BGP_MSG_OPEN:
		return "OPEN"
	case bgp.BGP_MSG_UPDATE:
		return "UPDATE"
	case bgp.BGP_MSG_NOTIFICATION:
		return "NOTIFICATION"
	case bgp.BGP_MSG_KEEPALIVE:
		return "KEEPALIVE"
	case bgp.BGP_MSG_ROUTE_REFRESH:
		return "ROUTE-REFRESH"
	}
	return fmt.Sprintf("type %d", kind)
}

var codeNames = [...]string{
	1: "Message Header Error",
	2: "OPEN Message Error",
	3: "UPDATE Message Error",
	4: "Hold Timer Expired",
	5: "Finite State Machine Error",
	6: "Cease",
	7: "ROUTE-REFRESH Message Error",
	8: "Send Hold Timer Expired",
}

var subcodeNames = [...][]string{
	1: {1: "Connection Not Synchronized", 2: "Bad Message Length", 3: "Bad Message Type"},
	2: {1: "Unsupported Version Number", 2: "Bad Peer AS", 3: "Bad BGP Identifier", 4: "Unsupported Optional Parameter",
		6: "Unacceptable Hold Time", 7: "Unsupported Capability", 11: "Role Mismatch"},
	3: {1: "Malformed Attribute List", 2: "Unrecognized Well-known Attribute", 3: "Missing Well-known Attribute",
		4: "Attribute Flags Error", 5: "Attribute Length Error", 6: "Invalid ORIGIN Attribute", 8: "Invalid NEXT_HOP Attribute",
		9: "Optional Attribute Error", 10: "Invalid Network Field", 11: "Malformed AS_PATH"},
	5: {1: "Receive Unexpected Message in OpenSent State", 2: "Receive Unexpected Message in OpenConfirm State",
		3: "Receive Unexpected Message in Established State"},
	6: {1: "Maximum Number of Prefixes Reached", 2: "Administrative Shutdown", 3: "Peer De-configured",
		4: "Administrative Reset", 5: "Connection Rejected", 6: "Other Configuration Change",
		7: "Connection Collision Resolution", 8: "Out of Resources", 9: "Hard Reset", 10: "BFD Down"},
	7: {1: "Invalid Message Length"},
}

func codeName(code uint8) string {
	if int(code) < len(codeNames) && codeNames[code] != "" {
		return codeNames[code]
	}
	return fmt.Sprintf("code %d", code)
}

// subcodeName is empty for subcode 0, which says nothing.
func subcodeName(code, subcode uint8) string {
	if int(code) < len(subcodeNames) && int(subcode) < len(subcodeNames[code]) && subcodeNames[code][subcode] != "" {
		return subcodeNames[code][subcode]
	}
	if subcode == 0 {
		return ""
	}
	return fmt.Sprintf("subcode %d", subcode)
}
