package route

import (
	"context"
	"net/netip"
	"slices"
	"testing"
)

func TestPacked(t *testing.T) {
	var list []netip.Prefix
	for _, s := range []string{"2001:db8::/32", "10.0.0.0/8", "::/0", "10.0.0.0/16", "0.0.0.0/0", "255.255.255.255/32", "2001:db8::1/128"} {
		list = append(list, netip.MustParsePrefix(s))
	}
	want := slices.Clone(list)
	slices.SortFunc(want, ComparePrefix)
	p := Pack(list)
	if p.Len() != len(want) {
		t.Errorf("%d prefixes, want %d", p.Len(), len(want))
	}
	for n := 1; n <= len(want)+1; n++ {
		var got []netip.Prefix
		for page := range p.Pages(n) {
			if len(page) > n || len(page) == 0 {
				t.Errorf("a page of %d, want 1 to %d", len(page), n)
			}
			got = append(got, page...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: got %v, want %v", n, got, want)
		}
	}
	for page := range p.Pages(2) {
		if len(page) != 2 {
			t.Error("first page")
		}
		break
	}
}

// TestListsShared: concurrent readers share one list; a later reader sees what has been added
// since.
func TestListsShared(t *testing.T) {
	reads := 0
	read := func(context.Context) ([]netip.Prefix, error) {
		reads++
		return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, nil
	}
	var l Lists
	var releases []func()
	for range 50 {
		list, release, err := l.Borrow(t.Context(), read)
		if err != nil || list.Len() != 1 {
			t.Fatal(list, err)
		}
		releases = append(releases, release)
	}
	if reads != 1 {
		t.Errorf("%d copies for 50 readers at once", reads)
	}
	for _, release := range releases {
		release()
		release() // releasing twice counts once
	}
	if l.latest.Len() != 0 || l.users != 0 {
		t.Errorf("the list is kept without readers: %d", l.users)
	}
	if _, release, err := l.Borrow(t.Context(), read); err != nil || reads != 2 {
		t.Errorf("a later reader: %d copies, %v", reads, err)
	} else {
		release()
	}
}
