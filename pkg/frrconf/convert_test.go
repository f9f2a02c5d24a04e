package frrconf

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nvad/nvad/pkg/config"
)

var update = flag.Bool("update", false, "write testdata/*.toml anew")

// golden returns the inputs of testdata by name: NAME.frr, and NAME.vxlan and
// NAME.interfaces if they exist.
var golden = []struct {
	name     string
	routerID string
	// remains counts the leftovers that have a meaning.
	remains int
}{
	{"hub00", "10.0.0.4", 2},
	{"hub10", "10.10.0.4", 2},
	{"edge", "", 1},
	{"full", "", 25},
	{"datacenter", "", 1},
	{"external", "", 1},
}

func input(t testing.TB, name, routerID string) Input {
	t.Helper()
	read := func(ext string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name+ext))
		if err != nil && ext == ".frr" {
			t.Fatal(err)
		}
		return data
	}
	in := Input{FRR: read(".frr"), VXLANScript: read(".vxlan"), Interfaces: read(".interfaces")}
	in.FRRName, in.VXLANScriptName, in.InterfacesName = name+".frr", name+".vxlan", name+".interfaces"
	if routerID != "" {
		in.RouterID = netip.MustParseAddr(routerID)
	}
	return in
}

func TestGolden(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			cfg, left, err := Convert(input(t, tt.name, tt.routerID))
			if err != nil {
				t.Fatal(err)
			}
			got := rendered(t, cfg, left)
			compare(t, filepath.Join("testdata", tt.name+".toml"), got)
			reread(t, cfg, got)
			remains := slices.DeleteFunc(slices.Clone(left), func(l Leftover) bool { return l.Kind == NoMeaning })
			if len(remains) != tt.remains {
				t.Errorf("%d leftovers have a meaning, want %d:\n%s", len(remains), tt.remains, text(remains))
			}
		})
	}
}

func rendered(t *testing.T, cfg *config.Config, left []Leftover) []byte {
	t.Helper()
	file, err := Render(cfg, left)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}

// reread checks that nvad accepts the file, with the intended meaning.
func reread(t *testing.T, cfg *config.Config, file []byte) {
	t.Helper()
	again, err := config.Parse("nvad.toml", file)
	if err != nil {
		t.Fatalf("nvad does not accept the result:\n%v", err)
	}
	if !again.Equal(cfg) {
		t.Errorf("the file says something else than the Config:\n%s", cmp.Diff(string(config.Print(cfg, false)), string(config.Print(again, false))))
	}
}

func text(left []Leftover) string {
	var b strings.Builder
	for _, l := range left {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

// TestEveryLine checks that no line of an input is lost: each has a fate, each refused line
// has a reason, and each line with a reason is among the leftovers.
func TestEveryLine(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			accounted(t, input(t, tt.name, tt.routerID))
		})
	}
}

func accounted(t *testing.T, in Input) {
	t.Helper()
	c := newConverter(in)
	c.readAll()
	c.finish()
	told := map[string]bool{}
	for _, l := range c.leftovers() {
		if l.Reason == "" || l.Kind == "" {
			t.Errorf("%s:%d: a leftover without kind or reason", l.File, l.Line)
		}
		if l.File != "" {
			told[l.File+":"+l.Text] = true
		}
	}
	n := 0
	for _, l := range c.lines {
		n++
		switch {
		case l.fate == unseen:
			t.Errorf("%s:%d: nobody looked at %q", l.file, l.number, l.text)
		case l.fate == refused && len(l.left) == 0:
			t.Errorf("%s:%d: %q is left over without a reason", l.file, l.number, l.text)
		case l.fate == empty && len(l.left) > 0:
			t.Errorf("%s:%d: %q has no content but a reason", l.file, l.number, l.text)
		case len(l.left) > 0 && !told[l.file+":"+hideSecret(l.text)]:
			t.Errorf("%s:%d: %q is not told", l.file, l.number, l.text)
		}
	}
	want := lines(in.FRR) + lines(in.Interfaces) + lines(in.VXLANScript)
	for _, f := range in.WGQuick {
		want += lines(f.Data)
	}
	if n != want {
		t.Errorf("%d lines were looked at, want %d", n, want)
	}
}

func lines(data []byte) int {
	if len(data) == 0 {
		return 0
	}
	return 1 + strings.Count(string(data), "\n")
}

func TestOriginate(t *testing.T) {
	cfg, left := convert(t, bgpHead+`aggregate-address 10.0.0.0 255.0.0.0 summary-only
aggregate-address 10.16.0.0/12 route-map tag
redistribute static route-map tag
redistribute kernel
neighbor 10.0.0.9 default-originate
neighbor 10.0.0.9 maximum-prefix-out 7
neighbor 10.0.0.9 maximum-prefix 100 80 restart 5 force
neighbor 10.0.0.9 remove-private-AS all replace-AS
exit
route-map tag permit 10
`)
	for _, l := range left {
		if l.Kind != NoMeaning {
			t.Errorf("left over: %+v", l)
		}
	}
	same := cmpopts.EquateComparable(netip.Prefix{})
	aggregates := []config.Aggregate{
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), SummaryOnly: true},
		{Prefix: netip.MustParsePrefix("10.16.0.0/12"), RouteMap: "tag"},
	}
	if diff := cmp.Diff(aggregates, cfg.Aggregates, same); diff != "" {
		t.Errorf("aggregates (-want +got)\n%s", diff)
	}
	others := []config.Redistribute{{Source: "static", RouteMap: "tag"}, {Source: "kernel"}}
	if diff := cmp.Diff(others, cfg.Redistributes); diff != "" {
		t.Errorf("redistribution (-want +got)\n%s", diff)
	}
	n := cfg.Neighbors[0]
	if !n.DefaultOriginate || n.MaximumPrefixOut != 7 || n.MaximumPrefix != 100 || n.MaximumPrefixWarning != 80 ||
		n.MaximumPrefixRestart != 5*time.Minute || n.MaximumPrefixAction != config.ActionShutdown || !n.ReplacePrivateAS {
		t.Errorf("neighbor %+v", n.Settings)
	}
}

// FuzzConvert checks that no input causes a panic, that every line is accounted for, and
// that nvad reads what is printed without an error as what was meant.
func FuzzConvert(f *testing.F) {
	for _, tt := range golden {
		in := input(f, tt.name, "")
		f.Add(in.FRR, in.Interfaces, in.VXLANScript)
	}
	f.Add([]byte("router bgp 1\n neighbor ::1 remote-as 1\nroute-map a permit 1\n set x\n"), []byte("iface a inet dhcp\n"), []byte("ip route add\n"))
	f.Fuzz(func(t *testing.T, frr, interfaces, script []byte) {
		agrees(t, Input{FRR: frr, Interfaces: interfaces, VXLANScript: script})
	})
}

// agrees checks one conversion, and returns whether nvad accepts the result.
func agrees(t *testing.T, in Input) bool {
	t.Helper()
	accounted(t, in)
	cfg, left, err := Convert(in)
	if err != nil {
		t.Fatal(err)
	}
	file, refused := Render(cfg, left)
	again, err := config.Parse("nvad.toml", file)
	if (err != nil) != (refused != nil) {
		t.Fatalf("Render says %v, but the check %v:\n%s", refused, err, in.FRR)
	}
	if err == nil && !again.Equal(cfg) {
		t.Errorf("the file says something else than the Config:\n%s", cmp.Diff(string(config.Print(cfg, false)), string(config.Print(again, false))))
	}
	return err == nil
}
