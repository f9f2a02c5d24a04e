package bootstrap

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// TestNumber: all NVAs agree on the addresses in the tunnel, whatever list of the others
// they have, and the addresses stay when NVAs come and go.
func TestNumber(t *testing.T) {
	want := map[string]string{}
	all := []string{"10.20.0.4", "10.0.0.4", "10.10.0.4", "10.0.0.5", "192.168.7.9"}
	for range 50 {
		list := append([]string{}, all...)
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		own, others := list[0], list[rand.IntN(len(list)-1):]
		p, err := derive(Request{Remotes: remotes(t, others...)}, "vm", nicOf(own), "eth0")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{own: p.Tunnel.Addr().String()}
		for _, r := range p.Remotes {
			if r.Address.String() == own {
				t.Errorf("%s is a remote of its own", own)
			}
			got[r.Address.String()] = r.Overlay.String()
		}
		for nva, address := range got {
			if want[nva] == "" {
				want[nva] = address
			}
			if want[nva] != address || !overlay.Contains(netip.MustParseAddr(address)) {
				t.Fatalf("%s is %s, and was %s", nva, address, want[nva])
			}
		}
	}
}

// TestUsualPlansDoNotClash: with one VNet for each second or third octet, and up to eight
// NVAs that begin at the same place of each, no two have the same address in the tunnel.
func TestUsualPlansDoNotClash(t *testing.T) {
	for _, plan := range []string{"10.%d.0.%d", "10.0.%d.%d", "10.%d.1.%d", "172.16.%d.%d", "192.168.%d.%d"} {
		seen := map[netip.Addr]string{}
		for vnet := range 256 {
			for nva := 4; nva < 12; nva++ {
				text := fmt.Sprintf(plan, vnet, nva)
				got := overlayOf(netip.MustParseAddr(text))
				if seen[got] != "" {
					t.Fatalf("%s and %s are both %s", seen[got], text, got)
				}
				seen[got] = text
			}
		}
	}
}

// TestOverlayBounds: whatever the address, the result can be a host's.
func TestOverlayBounds(t *testing.T) {
	first, last := netip.MustParseAddr("169.254.64.0"), netip.MustParseAddr("169.254.127.255")
	for range 200_000 {
		n := rand.Uint32()
		a := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		if got := overlayOf(a); !first.Less(got) || !got.Less(last) {
			t.Fatalf("%s is %s", a, got)
		}
	}
}

// clashing returns an address whose NVA would have the same address in the tunnel as
// another one.
func clashing(t *testing.T, with netip.Addr) netip.Addr {
	t.Helper()
	for n := range 1 << 20 {
		a := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		if a != with && overlayOf(a) == overlayOf(with) {
			return a
		}
	}
	t.Fatal("nothing clashes")
	return netip.Addr{}
}

// TestClash: two NVAs never get the same address; the error names both and what helps,
// and that helps.
func TestClash(t *testing.T) {
	own := netip.MustParseAddr("10.0.0.4")
	far := Remote{Address: clashing(t, own), Name: "vm-far"}
	_, err := derive(Request{Remotes: []Remote{far}}, "vm-hub00", nicOf("10.0.0.4"), "eth0")
	if err == nil {
		t.Fatal("two NVAs have the same address")
	}
	for _, want := range []string{"vm-hub00 (10.0.0.4)", far.label(), overlayOf(own).String(), "nvad-overlay=ADDRESS", "--remote-nva " + far.Address.String() + "=ADDRESS"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	far.Overlay = netip.MustParseAddr("169.254.64.1")
	p, err := derive(Request{Remotes: []Remote{far}}, "vm-hub00", nicOf("10.0.0.4"), "eth0")
	if err != nil || p.Tunnel.Addr() != overlayOf(own) || p.Remotes[0].Overlay != far.Overlay {
		t.Errorf("%v: %s, %v", err, p.Tunnel, p.Remotes)
	}
}
