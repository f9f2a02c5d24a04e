package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
)

// TestComplaints: what two looks in a row see has come, and goes as soon as a look does not
// see it. Another text is no other problem.
func TestComplaints(t *testing.T) {
	down := func(text string) map[complaint]string {
		return map[complaint]string{{"neighbor", "neighbor 10.0.0.4"}: text}
	}
	var c complaints
	for i, look := range []struct {
		now  map[complaint]string
		want string
	}{
		{down("is down: refused"), "[]"},
		{nil, "[]"}, // it was only for a moment
		{down("is down: refused"), "[]"},
		{down("is down: no route"), "[{true neighbor neighbor 10.0.0.4 is down: no route}]"},
		{down("is down: refused"), "[]"},
		{nil, "[{false neighbor neighbor 10.0.0.4 is down: refused}]"},
		{nil, "[]"},
	} {
		if got := fmt.Sprint(c.compare(look.now)); got != look.want {
			t.Errorf("look %d: %s, want %s", i, got, look.want)
		}
	}
}

// TestCollected: problems and warnings have keys that name what they are about, and texts of
// one line. However many there are, only so many are followed, and no text is long.
func TestCollected(t *testing.T) {
	warnings := []config.Warning{{Key: "tunnel.vxlan0", Code: "mtu", Msg: "too\nlarge"}, {Key: "nvad", Msg: strings.Repeat("x", 5000)}}
	got := collected(warnings, []api.Problem{{Kind: "default-route", Text: "none"}, {Kind: "neighbor", Name: "10.0.0.4", Text: "down"}})
	for c, want := range map[complaint]string{
		{"warning", "tunnel.vxlan0 mtu"}:   "too; large",
		{"default-route", "default-route"}: "none",
		{"neighbor", "neighbor 10.0.0.4"}:  "down",
		{"warning", "nvad"}:                strings.Repeat("x", mostWords-len("…")) + "…",
	} {
		if got[c] != want {
			t.Errorf("%v: %q, want %q", c, got[c], want)
		}
	}
	var many []api.Problem
	for i := range 3 * mostComplaints {
		many = append(many, api.Problem{Kind: "neighbor", Name: fmt.Sprint(i), Text: "down"})
	}
	if n := len(collected(nil, many)); n != mostComplaints {
		t.Errorf("%d are followed", n)
	}
}

// TestChangesText: an operation names the most disruptive changes and counts the others.
func TestChangesText(t *testing.T) {
	change := func(object string, i config.Impact) config.Change {
		return config.Change{Object: object, What: "added", Impact: i}
	}
	list := []config.Change{change("a", config.Live), change("b", config.SessionReset), change("c", config.Live), change("d", config.Live), change("e", config.Live)}
	for _, tt := range []struct {
		list []config.Change
		want string
	}{
		{nil, "nothing changed"},
		{list[:2], "b added; a added"},
		{list, "b added; a added; c added; and 2 more"},
	} {
		if got := changesText(tt.list); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if got := oneLine("nvad.toml:1: a\nnvad.toml:2: b\n"); got != "nvad.toml:1: a; nvad.toml:2: b" {
		t.Errorf("%q", got)
	}
	slices.Reverse(list)
	if got := changesText(list[:1]); got != "e added" {
		t.Errorf("%q", got)
	}
}
