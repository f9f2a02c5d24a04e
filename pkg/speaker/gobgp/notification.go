package gobgp

import (
	"fmt"
	"unicode/utf8"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/speaker"
)

// cease returns a NOTIFICATION of code Cease (RFC 4486).
func cease(subcode uint8) *speaker.Notification {
	return &speaker.Notification{Code: bgp.BGP_ERROR_CEASE, Subcode: subcode, Sent: true}
}

// hasCommunication reports whether the message of n may carry text (RFC 9003 2).
func hasCommunication(code, subcode uint8) bool {
	return code == bgp.BGP_ERROR_CEASE &&
		(subcode == bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN || subcode == bgp.BGP_ERROR_SUB_ADMINISTRATIVE_RESET)
}

// encodeNotification frames n. A text that is too long is cut at a character.
func encodeNotification(n speaker.Notification, data []byte) message {
	body := []byte{n.Code, n.Subcode}
	if hasCommunication(n.Code, n.Subcode) && n.Message != "" {
		text := n.Message
		for len(text) > 255 || !utf8.ValidString(text) && len(text) > 0 {
			text = text[:min(len(text)-1, 255)]
		}
		data = append([]byte{byte(len(text))}, text...)
	}
	return newMessage(bgp.BGP_MSG_NOTIFICATION, append(body, data...))
}

// decodeNotification reads a received NOTIFICATION. Text that is not UTF-8 is
// left out.
func decodeNotification(m message, sent bool) speaker.Notification {
	b := m.body()
	n := speaker.Notification{Code: b[0], Subcode: b[1], Sent: sent}
	if hasCommunication(n.Code, n.Subcode) && len(b) > 2 {
		if size := int(b[2]); len(b) >= 3+size && utf8.Valid(b[3:3+size]) {
			n.Message = string(b[3 : 3+size])
		}
	}
	return n
}

// describe puts n into words: the names of RFC 4271 4.5 and its successors.
func describe(n speaker.Notification) string {
	verb := "received"
	if n.Sent {
		verb = "sent"
	}
	text := "NOTIFICATION " + verb + ": " + codeName(n.Code)
	if sub := subcodeName(n.Code, n.Subcode); sub != "" {
		text += "/" + sub
	}
	if n.Message != "" {
		text += fmt.Sprintf(" %q", n.Message)
	}
	return text
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
