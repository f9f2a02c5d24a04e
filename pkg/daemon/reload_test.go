package daemon

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
)

// Changes of keys that the reference marks "restart" are refused, whatever else changes
// with them; all others are accepted.
func TestReloadable(t *testing.T) {
	for _, c := range []struct {
		name, change string
		refused      string
	}{
		{"nothing", "", ""},
		{"live", "[kernel]\nmax-paths = 2\nresolve-default = true", ""},
		{"a neighbor", "[[neighbor]]\naddress = \"10.0.1.4\"\nremote-asn = 65002", ""},
		{"kernel", "[kernel]\nmetric = 30\nmax-paths = 2", "kernel: metric: 20 -> 30"},
		{"two", "[daemon]\nsocket = \"/run/x.sock\"\n[kernel]\nscan-interval = 5",
			`daemon: socket: "/run/nvad/nvad.sock" -> "/run/x.sock", kernel: scan-interval: 30 -> 5`},
	} {
		old, next := parse(t, head), parse(t, head+c.change)
		err := reloadable(config.Diff(old, next))
		if (err != nil) != (c.refused != "") || err != nil && !strings.HasPrefix(err.Error(), c.refused+": only a restart") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	next := parse(t, strings.Replace(head, "65001", "65002", 1))
	if err := reloadable(config.Diff(parse(t, head), next)); err == nil {
		t.Error("another ASN without a restart")
	}
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("nvad.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Warnings that the running configuration does not have come first, wherever they are
// in the file. A warning that moved to another line is not new.
func TestCautions(t *testing.T) {
	list := "[prefix-list]\na = [\"permit any\"]\n"
	old := parse(t, head+list)
	next := parse(t, head+"# moved\n"+list+"b = [\"permit any\"]\n")
	got := cautions(old, next)
	if len(got.Warnings) != 2 || got.New != 1 || !strings.Contains(got.Warnings[0].Key, "b") {
		t.Errorf("got %+v", got)
	}
	if got := cautions(old, old); got.New != 0 || len(got.Warnings) != 1 {
		t.Errorf("nothing changed: %+v", got)
	}
}
