package daemon

import (
	"net/netip"
	"testing"
)

func TestOwnAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "198.51.100.1": false, "2001:db8::1": false,
	} {
		if got := ownAddress(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
