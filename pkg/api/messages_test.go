package api

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/tunnel"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// Every device has an IPv6 link-local address, which says nothing about it.
func TestTunnelWithoutLinkLocalAddresses(t *testing.T) {
	addr := netip.MustParseAddr
	in := Tunnel{
		Status: tunnel.Status{Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24"), netip.MustParsePrefix("fe80::1/64")}},
		FDB:    []tunnel.Entry{{Addresses: []netip.Addr{addr("10.0.1.254"), addr("fe80::2")}}},
	}
	m := tunnelMessage(in)
	if got := m.GetAddresses(); !slices.Equal(got, []string{"169.254.0.1/24"}) || len(in.Addresses) != 2 {
		t.Errorf("%v of %v", got, in.Addresses)
	}
	if got := m.GetFdb()[0].GetAddresses(); !slices.Equal(got, []string{"10.0.1.254"}) {
		t.Errorf("%v", got)
	}
	if m.GetPort() != tunnel.DefaultPort {
		t.Errorf("port %d", m.GetPort())
	}
}

// The most disruptive changes come first, each kind in the order of the file.
func TestOrderOfChanges(t *testing.T) {
	order := ""
	for _, m := range changeMessages([]config.Change{
		{Object: "a", Impact: config.Live}, {Object: "b", Impact: config.SessionReset}, {Object: "c", Impact: config.SoftRefresh},
		{Object: "d", Impact: config.SessionReset},
	}) {
		order += m.GetWhat()[:1]
	}
	if order != "bdca" {
		t.Errorf("order %s", order)
	}
}

// A query may be about what a neighbor sent and what the same neighbor is sent.
func TestExplainOneNeighbor(t *testing.T) {
	q, err := parseExplain(&nvadv1.ExplainRequest{Prefix: "10.0.0.0/16", Neighbor: "10.0.210.4", ExportTo: "10.0.210.4"})
	if want := netip.MustParseAddr("10.0.210.4"); err != nil || q.Neighbor != want || q.ExportTo != want {
		t.Errorf("%+v, %v", q, err)
	}
}
