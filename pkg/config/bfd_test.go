package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestParseBFDKeys(t *testing.T) {
	got, err := ParseBFDKeys("# both ends have these\n\n2 the new one\r\n1 the old one\n")
	if want := (BFDKeys{{2, "the new one"}, {1, "the old one"}}); err != nil || got != want {
		t.Errorf("got %#v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                                    `contains no key; add a line like "1 secret"`,
		"hush":                                "line 1: want a key ID from 0 to 255, a space and the key",
		"1":                                   "line 1: want a key ID from 0 to 255, a space and the key",
		"256 hush":                            "line 1: want a key ID from 0 to 255, a space and the key",
		"\n1 " + strings.Repeat("hush", 6):    "line 2: the key has 24 bytes, but BFD accepts at most 20",
		"1 hush\n1 hush2":                     "line 2: the ID 1 occurs twice",
		"1 hush\n2 hush\n3 hush\n4 a\n5 hush": "line 5: there are more than 4 keys; remove the oldest",
	} {
		_, err := ParseBFDKeys(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, "one") {
		t.Errorf("printed: %s", text)
	}
}

// TestRekeyedBFD: a diff reports other keys in the same key-file.
func TestRekeyedBFD(t *testing.T) {
	text := "asn = 65001\nrouter-id = \"10.0.0.4\"\n[[neighbor]]\naddress = \"10.0.0.5\"\nremote-asn = 65002\nbfd = { key-file = \"k\" }\n"
	old, err := Parse("nvad.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	next, err := Parse("nvad.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	old.Neighbors[0].BFD.Keys = BFDKeys{{1, "hush"}}
	next.Neighbors[0].BFD.Keys = BFDKeys{{1, "hush2"}}
	changes := Diff(old, next)
	if len(changes) != 1 || changes[0].What != "bfd: keys changed" || changes[0].Impact != Live {
		t.Errorf("got %+v", changes)
	}
	if text := string(Print(next, false)); strings.Contains(text, "hush") {
		t.Errorf("printed:\n%s", text)
	}
}

func TestFarEnds(t *testing.T) {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	tunnel := &Tunnel{Name: "vxlan0", Addresses: []netip.Prefix{prefix("169.254.0.1/24"), prefix("fd00:77::1/64")}}
	cfg := &Config{Statics: []Static{
		{Prefix: prefix("10.0.0.0/16"), Via: []Gateway{{Address: addr("10.0.0.1")}}},
		{Prefix: prefix("10.1.0.0/16"), Via: []Gateway{{Address: addr("169.254.0.2")}}},
		{Prefix: prefix("10.2.0.0/16"), Via: []Gateway{{Address: addr("169.254.0.3")}}, Device: "vxlan0"},
		{Prefix: prefix("10.3.0.0/16"), Via: []Gateway{{Address: addr("169.254.0.2")}}},
		{Prefix: prefix("10.4.0.0/16"), Via: []Gateway{{Address: addr("169.254.0.4")}}, Device: "vxlan1"},
		{Prefix: prefix("10.5.0.0/16"), Via: []Gateway{{Address: addr("169.254.0.1")}}},
		{Prefix: prefix("10.6.0.0/16"), Device: "vxlan0"},
		{Prefix: prefix("fd01::/64"), Via: []Gateway{{Address: addr("fd00:77::2")}}},
	}}
	want := "[{169.254.0.1 169.254.0.2} {169.254.0.1 169.254.0.3} {fd00:77::1 fd00:77::2}]"
	if got := fmt.Sprint(cfg.FarEnds(tunnel)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
