package arm

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// patches returns the changes of tags.
func (w *world) patches() (list []string) {
	for _, s := range w.sent {
		if s.method == http.MethodPatch {
			list = append(list, s.path+"?"+s.query+" "+string(s.body))
		}
	}
	return list
}

// TestTag: this machine, or the one that is named, gets the tag once, in a request that leaves other tags alone.
func TestTag(t *testing.T) {
	for _, id := range []string{"", vm1, vm2} {
		w := newWorld(t)
		c := w.client(Options{})
		at := id
		if id == "" {
			at = vm1
		}
		for _, first := range []bool{true, false} {
			got, changed, err := c.Tag(t.Context(), id, "nvad-key", "abc+/=")
			if err != nil || changed != first || got != at {
				t.Fatal(got, changed, err)
			}
		}
		want := []string{at + `/providers/Microsoft.Resources/tags/default?api-version=2021-04-01 {"operation":"Merge","properties":{"tags":{"nvad-key":"abc+/="}}}`}
		if got := w.patches(); !slices.Equal(got, want) || len(w.puts()) > 0 {
			t.Errorf("%q, want %q", got, want)
		}
		if _, changed, err := c.Tag(t.Context(), id, "NVAD-KEY", "other"); err != nil || !changed {
			t.Error("another value:", changed, err)
		}
	}
}

// TestTagRefused: what is no VM, what is not there, and too many tags end in an error that says so.
func TestTagRefused(t *testing.T) {
	for id, want := range map[string]string{
		nic1:                  "want a virtual machine",
		"vm":                  "",
		rgNVA + compute + "x": "ResourceNotFound",
	} {
		w := newWorld(t)
		if _, changed, err := w.client(Options{}).Tag(t.Context(), id, "k", "v"); err == nil || changed || !strings.Contains(err.Error(), want) || len(w.patches()) > 0 {
			t.Errorf("%s: %v", id, err)
		}
	}
	w := newWorld(t)
	w.meet = func(req *http.Request) *http.Response {
		if req.Method == http.MethodPatch {
			return failure(400, "BadRequest", "too many tags")
		}
		return nil
	}
	if _, changed, err := w.client(Options{}).Tag(t.Context(), "", "k", "v"); err == nil || changed || !strings.Contains(err.Error(), "too many tags") {
		t.Error(changed, err)
	}
}
