package imds

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	v := newVM(t, true)
	c := newClient(v.dial)
	if list, err := c.Events(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("%v, %v", list, err)
	}
	v.Schedule("602d9444", "Reboot", 15*time.Minute, "vm-hub00", "vm-hub10")
	list, err := c.Events(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	e := list[0]
	if e.ID != "602d9444" || e.Type != "Reboot" || e.Started || !slices.Equal(e.Resources, []string{"vm-hub00", "vm-hub10"}) || e.Duration >= 0 {
		t.Errorf("got %+v", e)
	}
	if left := time.Until(e.NotBefore); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("begins in %v", left)
	}
	if err := c.Approve(t.Context(), e.ID); err != nil || !slices.Equal(v.Approved(), []string{e.ID}) {
		t.Errorf("approved %v, %v", v.Approved(), err)
	}
	if err := c.Approve(t.Context(), "unknown"); err == nil || !strings.Contains(err.Error(), "400 Bad Request: Bad request. No such event") {
		t.Errorf("an event that there is none of: %v", err)
	}
	v.Begin(e.ID)
	if list, err := c.Events(t.Context()); err != nil || !list[0].Started || !list[0].NotBefore.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestParseEvents(t *testing.T) {
	list, err := parseEvents([]byte(`{"DocumentIncarnation":2,"Events":[{"EventId":"C7061BAC","EventStatus":"Scheduled","EventType":"Freeze",
		"ResourceType":"VirtualMachine","Resources":["WestNO_0","WestNO_1"],"NotBefore":"Mon, 11 Apr 2022 22:26:58 GMT",
		"Description":"Virtual machine is being paused.","EventSource":"Platform","DurationInSeconds":5},{"EventId":"x"}]}`))
	if err != nil || list[0].Type != Freeze || list[0].Duration != 5*time.Second || list[0].NotBefore.Minute() != 26 || list[1].Duration >= 0 {
		t.Errorf("%+v, %v", list, err)
	}
	for _, bad := range []string{"", "<html>", `{"Events":[{}]}`, `{"Events":[7]}`, `{"Events":7}`} {
		if _, err := parseEvents([]byte(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}
