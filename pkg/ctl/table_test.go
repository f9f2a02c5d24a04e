package ctl

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func TestSpan(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Second:                        "00:00:00",
		999 * time.Millisecond:              "00:00:00",
		time.Hour + 2*time.Minute + 3e9:     "01:02:03",
		day - time.Second:                   "23:59:59",
		day + 2*time.Hour + 3*time.Minute:   "1d02h03m",
		7*day - time.Second:                 "6d23h59m",
		9*day + 3*time.Hour:                 "01w2d03h",
		365*day - time.Second:               "52w0d23h",
		(365+2*7+3)*day + 23*time.Hour + 1:  "01y02w3d",
		(10*365+7)*day + 59*time.Minute + 1: "10y01w0d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	for _, tt := range []struct {
		width     int
		variable  string
		wantWidth int
	}{
		{0, "", 80}, {0, "132", 132}, {100, "132", 100}, {0, "3", 80}, {0, "wide", 80},
	} {
		env := Env{Out: io.Discard, Width: tt.width, Getenv: func(string) string { return tt.variable }}
		if got := columns(env); got != tt.wantWidth {
			t.Errorf("width %d, COLUMNS=%q: %d, want %d", tt.width, tt.variable, got, tt.wantWidth)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 10, ""},
		{"65515 12076 i", 20, "65515 12076 i"},
		{"65515 12076 i", 11, "65515 12076|i"},
		{"65515 12076 i", 5, "65515|12076|i"},
		{"65515 12076 i", 1, "65515|12076|i"},
		{"one\ntwo three", 20, "one|two three"},
		{"ルート サーバー", 4, "ルート|サーバー"},
	} {
		if got := strings.Join(wrap(tt.text, tt.width), "|"); got != tt.want {
			t.Errorf("wrap(%q, %d) = %s, want %s", tt.text, tt.width, got, tt.want)
		}
	}
}

// TestTableStreams: beyond the sample, a row is printed when it is added.
func TestTableStreams(t *testing.T) {
	var out strings.Builder
	tab := (&app{Env: Env{Out: &out, Width: 80}}).newTable(column{head: "A"}, column{head: "B", right: true})
	for i := range sampleRows - 1 {
		tab.row("x", fmt.Sprint(i))
	}
	if out.Len() != 0 {
		t.Fatal("printed before the columns are known")
	}
	tab.row("x", "last of the sample")
	tab.row("wider than the column", "1")
	want := "x  last of the sample\nwider than the column\n                    1\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("got %q", out.String()[max(0, out.Len()-100):])
	}
}

// TestTableWidth draws tables of random cells, none of which is longer than a
// line, in terminals of any width.
func TestTableWidth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	cell := func(most int) string { return strings.Repeat("x", rng.IntN(most+1)) }
	for range 500 {
		var out strings.Builder
		width := 60 + rng.IntN(60)
		tab := (&app{Env: Env{Out: &out, Width: width}}).newTable(column{head: "A", max: 20, min: 10}, column{head: "B", max: 20, min: 5},
			column{head: "C", right: true}, column{head: "D", fit: wrapped})
		for range 20 {
			tab.row(cell(43), cell(39), cell(8), strings.TrimSpace(strings.Repeat(cell(10)+" ", rng.IntN(9))))
		}
		tab.end()
		for _, l := range strings.Split(out.String(), "\n") {
			if length(l) > width {
				t.Fatalf("%d columns in %d:\n%s", length(l), width, out.String())
			}
		}
	}
}

// TestKindsInJSON: the encoder knows every kind of field that an answer may have.
func TestKindsInJSON(t *testing.T) {
	known := map[protoreflect.Kind]bool{
		protoreflect.MessageKind: true, protoreflect.BoolKind: true, protoreflect.Uint32Kind: true,
		protoreflect.Uint64Kind: true, protoreflect.BytesKind: true, protoreflect.StringKind: true,
	}
	seen := map[protoreflect.FullName]bool{"google.protobuf.Timestamp": true}
	var walk func(m protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			if !known[f.Kind()] {
				t.Errorf("%s is of kind %s", f.FullName(), f.Kind())
			}
			if f.Kind() == protoreflect.MessageKind {
				walk(f.Message())
			}
		}
	}
	services := nvadv1.File_nvad_v1_nvad_proto.Services()
	for i := range services.Len() {
		for j := range services.Get(i).Methods().Len() {
			walk(services.Get(i).Methods().Get(j).Output())
		}
	}
}
