package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nvad/nvad/pkg/speaker"
)

// NewNotification encodes n with data, unless n has a shutdown communication, which
// takes the place of data. A text of more than 255 octets is cut at a character.
func NewNotification(n speaker.Notification, data []byte) Message {
	if hasCommunication(n.Code, n.Subcode) && n.Message != "" {
		text := n.Message
		for len(text) > 255 || !utf8.ValidString(text) && len(text) > 0 {
			text = text[:min(len(text)-1, 255)]
		}
		data = append([]byte{byte(len(text))}, text...)
	}
	return NewMessage(TypeNotification, append([]byte{n.Code, n.Subcode}, data...))
}

// ParseNotification decodes a NOTIFICATION, which was sent by nvad or received. A
// shutdown communication that is not UTF-8 is left out.
func ParseNotification(m Message, sent bool) speaker.Notification {
	b := m.Body()
	n := speaker.Notification{Code: b[0], Subcode: b[1], Message: communication(b), Sent: sent}
	n.Detail = detail(n.Code, n.Subcode, b[2:])
	return n
}

// hasCommunication reports whether a NOTIFICATION may carry text (RFC 9003 2).
func hasCommunication(code, subcode uint8) bool {
	return code == speaker.CodeCease && (subcode == speaker.CeaseShutdown || subcode == speaker.CeaseReset)
}

// communication returns the text in the body of a NOTIFICATION, if it has one.
func communication(b []byte) string {
	if !hasCommunication(b[0], b[1]) || len(b) < 3 {
		return ""
	}
	if size := int(b[2]); len(b) >= 3+size && utf8.Valid(b[3:3+size]) {
		return string(b[3 : 3+size])
	}
	return ""
}

// Describe puts n into words for the log and for nvactl, with the names of RFC 4271
// 4.5 and its successors: `NOTIFICATION sent: Cease/Administrative Reset "upgrade"`.
func Describe(n speaker.Notification) string {
	verb := "received"
	if n.Sent {
		verb = "sent"
	}
	return "NOTIFICATION " + verb + ": " + words(n)
}

// DescribeReceived is Describe for a NOTIFICATION that the neighbor sent. It adds what
// the operator of such a neighbor has to know and the message does not say.
func DescribeReceived(n speaker.Notification, neighbor *speaker.Neighbor) string {
	switch {
	case n.Code == speaker.CodeCease && n.Subcode == speaker.CeaseMaxPrefixes && neighbor.RemoteASN == routeServerASN:
		limit := n.Detail
		if limit == "" {
			limit = routeServerLimit
		}
		n.Detail = "Route Server counts current plus incoming routes, " + limit
	case n.Code == speaker.CodeOpen && n.Subcode == badPeerAS:
		n.Detail = fmt.Sprintf("it expects another AS than %d", neighbor.LocalASN)
	}
	return Describe(n)
}

// Azure Route Server's ASN, and its documented limit of routes from one neighbor.
const (
	routeServerASN   = 65515
	routeServerLimit = "limit 4,000"
)

// words returns the names of code and subcode, the detail and the text.
func words(n speaker.Notification) string {
	text := nameAt(codeNames, n.Code)
	if text == "" {
		text = fmt.Sprintf("code %d", n.Code)
	}
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

// detail puts the data of a NOTIFICATION into words. It is empty if there is no data,
// or if it does not have the form that the RFC of the subcode gives it.
func detail(code, subcode uint8, data []byte) string {
	switch {
	case code == speaker.CodeHeader && subcode == badLength && len(data) == 2: // RFC 4271 6.1
		return fmt.Sprintf("%d bytes", binary.BigEndian.Uint16(data))
	case code == speaker.CodeHeader && subcode == badType && len(data) == 1:
		return fmt.Sprintf("type %d", data[0])
	case code == speaker.CodeOpen && subcode == unsupportedVersion && len(data) == 2: // RFC 4271 6.2
		return fmt.Sprintf("version %d is supported", binary.BigEndian.Uint16(data))
	case code == speaker.CodeOpen && subcode == unsupportedCapability:
		return capabilitiesDetail(data)
	case code == speaker.CodeUpdate && subcode == missingWellKnown && len(data) >= 2: // RFC 4271 6.3
		return attrName(data[0])
	case code == speaker.CodeUpdate && subcode >= unrecognizedWellKnown && subcode <= optionalAttribute && len(data) >= 2:
		return attrName(data[1]) // behind its flags
	case code == speaker.CodeFSM && len(data) == 1: // RFC 6608 3
		if name := nameAt(typeNames[:], data[0]); name != "" {
			return name
		}
		return fmt.Sprintf("type %d", data[0])
	case code == speaker.CodeCease && subcode == speaker.CeaseMaxPrefixes && len(data) == 7: // RFC 4486 4
		return "limit " + grouped(binary.BigEndian.Uint32(data[3:]))
	case code == speaker.CodeCease && subcode == speaker.CeaseHardReset && len(data) >= 2: // RFC 8538 3.1
		inner := speaker.Notification{Code: data[0], Subcode: data[1], Message: communication(data)}
		if inner.Code != speaker.CodeCease || inner.Subcode != speaker.CeaseHardReset { // or it could nest without end
			inner.Detail = detail(inner.Code, inner.Subcode, data[2:])
		}
		return words(inner)
	}
	return ""
}

// capabilitiesDetail names the capabilities in data (RFC 5492 5).
func capabilitiesDetail(data []byte) string {
	var names []string
	for len(data) >= 2 {
		size := 2 + int(data[1])
		if size > len(data) {
			return ""
		}
		names = append(names, capabilityName(data[0]))
		data = data[size:]
	}
	return strings.Join(names, ", ")
}

// grouped writes n with commas between thousands.
func grouped(n uint32) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

var codeNames = []string{
	speaker.CodeHeader:        "Message Header Error",
	speaker.CodeOpen:          "OPEN Message Error",
	speaker.CodeUpdate:        "UPDATE Message Error",
	speaker.CodeHoldTimer:     "Hold Timer Expired",
	speaker.CodeFSM:           "Finite State Machine Error",
	speaker.CodeCease:         "Cease",
	speaker.CodeRefresh:       "ROUTE-REFRESH Message Error",
	speaker.CodeSendHoldTimer: "Send Hold Timer Expired",
}

var subcodeNames = [...][]string{
	speaker.CodeHeader: {1: "Connection Not Synchronized", 2: "Bad Message Length", 3: "Bad Message Type"},
	speaker.CodeOpen: {1: "Unsupported Version Number", 2: "Bad Peer AS", 3: "Bad BGP Identifier", 4: "Unsupported Optional Parameter",
		6: "Unacceptable Hold Time", 7: "Unsupported Capability", 11: "Role Mismatch"},
	speaker.CodeUpdate: {1: "Malformed Attribute List", 2: "Unrecognized Well-known Attribute", 3: "Missing Well-known Attribute",
		4: "Attribute Flags Error", 5: "Attribute Length Error", 6: "Invalid ORIGIN Attribute", 8: "Invalid NEXT_HOP Attribute",
		9: "Optional Attribute Error", 10: "Invalid Network Field", 11: "Malformed AS_PATH"},
	speaker.CodeFSM: {1: "Receive Unexpected Message in OpenSent State", 2: "Receive Unexpected Message in OpenConfirm State",
		3: "Receive Unexpected Message in Established State"},
	speaker.CodeCease: {1: "Maximum Number of Prefixes Reached", 2: "Administrative Shutdown", 3: "Peer De-configured",
		4: "Administrative Reset", 5: "Connection Rejected", 6: "Other Configuration Change",
		7: "Connection Collision Resolution", 8: "Out of Resources", 9: "Hard Reset", 10: "BFD Down"},
	speaker.CodeRefresh: {1: "Invalid Message Length"},
}

// subcodeName is empty for subcode 0, which says nothing.
func subcodeName(code, subcode uint8) string {
	if int(code) < len(subcodeNames) {
		if name := nameAt(subcodeNames[code], subcode); name != "" {
			return name
		}
	}
	if subcode == 0 {
		return ""
	}
	return fmt.Sprintf("subcode %d", subcode)
}

func nameAt(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return ""
}
