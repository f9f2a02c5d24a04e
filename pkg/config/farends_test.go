package config

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestFarEnds(t *testing.T) {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	tunnel := &Tunnel{Name: "vxlan0", Addresses: []netip.Prefix{prefix("169.254.0.1/24"), prefix("fd00:77::1/64")}}
	cfg := &Config{Statics: []Static{
		{Prefix: prefix("10.0.0.0/16"), Via: addr("10.0.0.1")},
		{Prefix: prefix("10.1.0.0/16"), Via: addr("169.254.0.2")},
		{Prefix: prefix("10.2.0.0/16"), Via: addr("169.254.0.3"), Device: "vxlan0"},
		{Prefix: prefix("10.3.0.0/16"), Via: addr("169.254.0.2")},
		{Prefix: prefix("10.4.0.0/16"), Via: addr("169.254.0.4"), Device: "vxlan1"},
		{Prefix: prefix("10.5.0.0/16"), Via: addr("169.254.0.1")},
		{Prefix: prefix("10.6.0.0/16"), Device: "vxlan0"},
		{Prefix: prefix("fd01::/64"), Via: addr("fd00:77::2")},
	}}
	want := "[{169.254.0.1 169.254.0.2} {169.254.0.1 169.254.0.3} {fd00:77::1 fd00:77::2}]"
	if got := fmt.Sprint(cfg.FarEnds(tunnel)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
