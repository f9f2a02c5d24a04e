package ctl

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestAzureTag(t *testing.T) {
	f := newFakeAzure(t)
	for _, want := range []string{"vm-hub00: has the tag nvad-key=a+b==\n", "vm-hub00: has the tag nvad-key=a+b== already\n"} {
		if r := f.run(t.Context(), "/nonexistent", "azure", "tag", "nvad-key=a+b==", "--vm", "vm"); r.code != 0 || r.out != want {
			t.Errorf("%+v, want %q", r, want)
		}
	}
	if r := f.run(t.Context(), "/nonexistent", "azure", "tag", "k=", "-o", "json"); r.code != 0 || !strings.Contains(r.out, `"changed": false`) {
		t.Errorf("%+v", r)
	}
	if want := []string{"tag vm nvad-key a+b==", "tag vm nvad-key a+b==", "tag  k "}; !slices.Equal(f.did, want) {
		t.Errorf("did %q", f.did)
	}
	f.err = errors.New("no such VM")
	wantError(t, f.run(t.Context(), "/nonexistent", "azure", "tag", "k=v"), "no such VM")
}

func TestAzureTagRefused(t *testing.T) {
	for text, want := range map[string]string{
		"nvad-key":                      "want NAME=VALUE",
		" =x":                           "want NAME=VALUE",
		"k=" + strings.Repeat("x", 257): "too long",
		strings.Repeat("k", 513) + "=x": "too long",
	} {
		f := newFakeAzure(t)
		if r := f.run(t.Context(), "/nonexistent", "azure", "tag", text); r.code == 0 || !strings.Contains(r.err, want) || len(f.did) > 0 {
			t.Errorf("%q: %+v, did %q", text, r, f.did)
		}
	}
}
