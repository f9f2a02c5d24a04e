package survey

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// TestMends: what is wrong comes before what may be intended, and each has a command.
func TestMends(t *testing.T) {
	s := &nvadv1.Status{
		Problems: []*nvadv1.Problem{
			{Kind: "neighbor", Name: "10.0.210.4", Text: "is down"}, {Kind: "neighbor", Name: "10.0.210.5", Text: "is down"}, {Kind: "tunnel", Name: "vxlan0"},
			{Kind: "route-server", Name: "ars"}, {Kind: "default-route"}, {Kind: "drain"}, {Kind: "of a later version"},
			{Kind: "tunnel", Name: "x;reboot"}, {Kind: "neighbor", Name: "--all"}, {Kind: "neighbor", Name: "$(reboot)"},
		},
		FibWanted: 5, FibInstalled: 4, DrainingSince: timestamppb.Now(), DrainingReason: "alice",
		Config:   &nvadv1.ConfigState{Version: 5, Fallback: 4, Deadline: timestamppb.New(time.Unix(0, 0)), File: "/etc/nvad/nvad.toml", FileState: "differs"},
		Azure:    &nvadv1.AzureState{Findings: 2},
		Warnings: []*nvadv1.Warning{{File: "/etc/nvad/nvad.toml", Line: 12, Key: "x", Text: "is unused"}, {Key: "y", Text: "is odd"}, {File: "/tmp/`reboot`", Line: 1, Key: "z"}},
	}
	want := []string{"nvactl enable 10.0.210.4", "nvactl neighbors 10.0.210.5", "nvactl tunnels vxlan0", "nvactl azure diff", "ip route show default", "nvactl drain --off",
		"nvactl status", "nvactl status", "nvactl status", "nvactl status", "nvactl status", "nvactl routes fib --failed", "nvactl confirm", "nvactl reload --dry-run",
		"nvactl drain --off", "nvactl azure diff", "sudo editor +12 /etc/nvad/nvad.toml && sudo nvactl reload", "", ""}
	got := problems(s, []Neighbor{{Address: "10.0.210.4", Shutdown: true}})
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i, p := range got {
		if p.Mend != want[i] {
			t.Errorf("%s %s: got %q, want %q", p.Kind, p.Name, p.Mend, want[i])
		}
		if strings.ContainsAny(p.Mend, ";`$") {
			t.Errorf("%q runs something else", p.Mend)
		}
	}
	s.Config.FileState, s.Config.File = "unreadable", "/tmp/$(reboot)"
	for _, p := range problems(s, nil) {
		if strings.Contains(p.Mend, "reboot") {
			t.Errorf("%q runs something else", p.Mend)
		}
	}
}
