package bmp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	gobmp "github.com/osrg/gobgp/v4/pkg/packet/bmp"
)

// GoBGP's decoder, which shares no code with the encoder, says what the messages mean.

// lines decodes octets to a line for each message.
func lines(t *testing.T, octets []byte) (out []string) {
	t.Helper()
	s := bufio.NewScanner(bytes.NewReader(octets))
	s.Buffer(nil, 1<<20)
	s.Split(gobmp.SplitBMP)
	read := 0
	for s.Scan() {
		read += len(s.Bytes())
		out = append(out, line(t, s.Bytes()))
	}
	if read != len(octets) {
		t.Errorf("%d of %d octets are messages", read, len(octets))
	}
	return out
}

func line(t *testing.T, octets []byte) string {
	t.Helper()
	m, err := gobmp.ParseBMPMessage(octets)
	if err != nil {
		t.Fatalf("% x: %v", octets, err)
	}
	h := m.PeerHeader
	switch b := m.Body.(type) {
	case *gobmp.BMPInitiation:
		text := "initiation"
		for _, tlv := range b.Info {
			text += fmt.Sprintf(" %q", tlv.(*gobmp.BMPInfoTLVString).Value)
		}
		return text
	case *gobmp.BMPTermination:
		return fmt.Sprint("termination ", b.Info[0].(*gobmp.BMPTermTLV16).Value)
	case *gobmp.BMPPeerUpNotification:
		sent, received := b.SentOpenMsg.Body.(*bgp.BGPOpen), b.ReceivedOpenMsg.Body.(*bgp.BGPOpen)
		return fmt.Sprintf("up %s AS %d id %s local %s ports %d %d sent AS %d received AS %d at %.0f", h.PeerAddress, h.PeerAS, h.PeerBGPID,
			b.LocalAddress, b.LocalPort, b.RemotePort, sent.MyAS, received.MyAS, h.Timestamp)
	case *gobmp.BMPPeerDownNotification:
		text := fmt.Sprintf("down %s reason %d", h.PeerAddress, b.Reason)
		if b.BGPNotification != nil {
			n := b.BGPNotification.Body.(*bgp.BGPNotification)
			return text + fmt.Sprintf(" notification %d/%d %q", n.ErrorCode, n.ErrorSubcode, n.Data)
		}
		return text + fmt.Sprintf(" data %x", b.Data)
	case *gobmp.BMPStatisticsReport:
		text := "statistics " + h.PeerAddress.String()
		for _, s := range b.Stats {
			switch s := s.(type) {
			case *gobmp.BMPStatsTLV32:
				text += fmt.Sprintf(" %d=%d", s.Type, s.Value)
			case *gobmp.BMPStatsTLV64:
				text += fmt.Sprintf(" %d=%d", s.Type, s.Value)
			case *gobmp.BMPStatsTLVPerAfiSafi64:
				text += fmt.Sprintf(" %d(%d/%d)=%d", s.Type, s.AFI, s.SAFI, s.Value)
			}
		}
		return text
	case *gobmp.BMPRouteMonitoring:
		view := "pre"
		if h.IsPostPolicy() {
			view = "post"
		}
		return fmt.Sprintf("%s %s at %.0f:%s", view, h.PeerAddress, h.Timestamp, updateText(b.BGPUpdate.Body.(*bgp.BGPUpdate)))
	}
	t.Fatalf("%T", m.Body)
	return ""
}

// updateText lists what an UPDATE announces and withdraws.
func updateText(u *bgp.BGPUpdate) (text string) {
	if end, family := u.IsEndOfRib(); end {
		return " end of " + family.String()
	}
	add := func(verb string, list []bgp.PathNLRI) {
		if len(list) > 0 {
			text += " " + verb
		}
		for _, n := range list {
			text += " " + n.NLRI.String()
		}
	}
	add("-", u.WithdrawnRoutes)
	add("+", u.NLRI)
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			add("+", a.Value)
			text += " via " + a.Nexthop.String()
		case *bgp.PathAttributeMpUnreachNLRI:
			add("-", a.Value)
		case *bgp.PathAttributeNextHop:
			text += " via " + a.Value.String()
		case *bgp.PathAttributeAsPath:
			text += " path " + bgp.AsPathString(a)
		}
	}
	return text
}

// reader decodes a stream as it comes.
func reader(t *testing.T, r io.Reader) (next func() string) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	s.Split(gobmp.SplitBMP)
	return func() string {
		t.Helper()
		if !s.Scan() {
			return strings.TrimSpace(fmt.Sprint("closed ", s.Err()))
		}
		return line(t, s.Bytes())
	}
}
