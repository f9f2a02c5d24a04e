package gobgp

import (
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
	n := speaker.Notification{Code: b[0], Subcode: b[1], Message: communication(b), Sent: sent}
	n.Detail = detail(n.Code, n.Subcode, b[2:])
	return n
}

// communication is the text of a NOTIFICATION's body, if it has one (RFC 9003 2).
func communication(b []byte) string {
	if !hasCommunication(b[0], b[1]) || len(b) < 3 {
		return ""
	}
	if size := int(b[2]); len(b) >= 3+size && utf8.Valid(b[3:3+size]) {
		return string(b[3 : 3+size])
	}
	return ""
}
