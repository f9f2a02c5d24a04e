package ctl

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// eventAt returns an event of a prefix, so many seconds after midnight.
func eventAt(seconds float64, change any) *nvadv1.WatchEvent {
	at := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
	ev := &nvadv1.WatchEvent{Time: timestamppb.New(at)}
	switch c := change.(type) {
	case *nvadv1.RouteChange:
		ev.Change = &nvadv1.WatchEvent_Route{Route: c}
	case *nvadv1.FIBChange:
		ev.Change = &nvadv1.WatchEvent_Fib{Fib: c}
	case *nvadv1.Gap:
		ev.Change = &nvadv1.WatchEvent_Gap{Gap: c}
	}
	return ev
}

// TestHistory: which events make a state of their own, and how long each state lasted.
func TestHistory(t *testing.T) {
	best := func(from, reason string) *nvadv1.RouteChange {
		if from == "" {
			return &nvadv1.RouteChange{Reason: reason}
		}
		return &nvadv1.RouteChange{Reason: reason, New: &nvadv1.BestPath{Neighbor: from, Source: "bgp", NextHop: from}}
	}
	kernel := func(old, now, state, reason string) *nvadv1.FIBChange {
		return &nvadv1.FIBChange{Prefix: "10.1.0.0/16", Old: old, New: now, State: state, Reason: reason}
	}
	for name, tt := range map[string]struct {
		events []*nvadv1.WatchEvent
		want   string // neighbor, kernel, seconds and cause of each state
	}{
		"the kernel follows": {
			[]*nvadv1.WatchEvent{eventAt(0, best("a", "new")), eventAt(0.1, kernel("", "via a", "installed", "")), eventAt(5, best("", "a is down")), eventAt(5.1, kernel("via a", "", "removed", ""))},
			"a via a 5 new | none none 95 a is down",
		},
		"the kernel comes later": {
			[]*nvadv1.WatchEvent{eventAt(0, best("a", "new")), eventAt(10, kernel("", "via a", "installed", ""))},
			"a none 10 new | a via a 90 the kernel's route changed",
		},
		"refused": {
			[]*nvadv1.WatchEvent{eventAt(0, best("a", "new")), eventAt(0.1, kernel("", "via a", "refused", "a default route"))},
			"a none 100 new; not installed, refused: a default route",
		},
		"failed while another is there": {
			[]*nvadv1.WatchEvent{eventAt(0, best("a", "new")), eventAt(0.1, kernel("", "via a", "installed", "")), eventAt(9, best("b", "better")), eventAt(9.1, kernel("via a", "via b", "failed", "no such device"))},
			"a via a 9 new | b via a 91 better; not installed, failed: no such device",
		},
		"recorded again": {
			[]*nvadv1.WatchEvent{eventAt(0, best("a", "new")), eventAt(0.1, kernel("", "via a", "installed", "")), eventAt(20, best("a", "recorded")), eventAt(20.1, kernel("", "via a", "installed", ""))},
			"a via a 100 new",
		},
		"a gap, and another path after it": {
			[]*nvadv1.WatchEvent{eventAt(0, best("a", "new")), eventAt(30, &nvadv1.Gap{Lost: 7}), eventAt(40, best("b", "recorded"))},
			"a none 30 new | a none 10 7 events are missing here | b none 60 recorded",
		},
		"a gap before all": {
			[]*nvadv1.WatchEvent{eventAt(0, &nvadv1.Gap{Lost: 7}), eventAt(1, best("a", "recorded"))},
			"a none 99 recorded",
		},
		"a flap within the time in which the kernel follows": {
			[]*nvadv1.WatchEvent{eventAt(0, best("a", "new")), eventAt(0.1, kernel("", "via a", "installed", "")), eventAt(0.2, kernel("via a", "", "removed", "")), eventAt(0.5, kernel("", "via a", "installed", ""))},
			"a via a 0.2 new | a none 0.3 the kernel's route changed | a via a 99.5 the kernel's route changed",
		},
	} {
		h := &prefixHistory{}
		for _, ev := range tt.events {
			h.add(ev)
		}
		h.end(eventAt(100, nil).GetTime().AsTime())
		var got []string
		for _, s := range h.states {
			got = append(got, fmt.Sprintf("%s %s %v %s", s.bestText(), cmp.Or(s.Kernel, "none"), s.Seconds, s.Cause))
		}
		if text := strings.Join(got, " | "); text != tt.want {
			t.Errorf("%s: %s\nwant %s", name, text, tt.want)
		}
	}
}
