package azure

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nvad/nvad/pkg/azure"
)

// codes lists the codes of a report's findings, each once.
func codes(r azure.Report) []azure.Code {
	var list []azure.Code
	for _, f := range r.Findings {
		list = append(list, f.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// explain writes a report's findings for people.
func explain(r azure.Report) string {
	var text strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "%s %s %s: %s\n", f.Severity, f.Code, f.Name, f.Reason)
		for _, s := range f.Mend {
			fmt.Fprintf(&text, "    %s: %s\n", s.In, strings.ReplaceAll(s.Text, "\n", "\n    "))
		}
	}
	for _, n := range r.NotJudged {
		fmt.Fprintf(&text, "not judged: %s %s\n", n.What, n.Reason)
	}
	return text.String()
}

// wantCodes checks that a report names exactly these codes.
func wantCodes(t *testing.T, when string, r azure.Report, want ...azure.Code) bool {
	t.Helper()
	slices.Sort(want)
	if want = slices.Compact(want); slices.Equal(codes(r), want) && len(r.NotJudged) == 0 {
		return true
	}
	t.Errorf("%s: got %v, want %v\n%s", when, codes(r), want, explain(r))
	return false
}

// TestNothing: where everything is as it should be, there is nothing to say.
func TestNothing(t *testing.T) {
	wantCodes(t, "at rest", newAsker(t).diff(t, newWorld()))
}

// TestFaults injects one fault at a time. The comparison names it and nothing else, and what
// it says mends it.
func TestFaults(t *testing.T) {
	a := newAsker(t)
	for _, f := range faults {
		t.Run(f.name(), func(t *testing.T) {
			w := newWorld()
			f.inject(t, w)
			r := a.diff(t, w)
			if !wantCodes(t, "injected", r, f.code) {
				return
			}
			for _, found := range r.Findings {
				if err := w.mend(found); err != nil {
					t.Fatal(err)
				}
			}
			wantCodes(t, "mended\n"+explain(r), a.diff(t, w))
		})
	}
}

// shows reports whether f can be seen beside other.
func (f fault) shows(other fault) bool {
	return !(other.down && f.routes) && !slices.Contains(other.hides, f.code)
}

// apart reports whether two faults can be injected together.
func apart(f, g fault) bool {
	return !slices.ContainsFunc(strings.Fields(f.place), func(p string) bool { return slices.Contains(strings.Fields(g.place), p) })
}

// TestPairs injects each fault beside each other one. The comparison names both. Each mend
// removes its own finding and leaves the other.
func TestPairs(t *testing.T) {
	type pair struct{ f, g fault }
	pairs := make(chan pair)
	go func() {
		defer close(pairs)
		for i, f := range faults {
			for _, g := range faults[i+1:] {
				if apart(f, g) && f.code != g.code && !f.huge && !g.huge {
					pairs <- pair{f, g}
				}
			}
		}
	}()
	var workers sync.WaitGroup
	for range 2 {
		a := newAsker(t)
		workers.Go(func() {
			for p := range pairs {
				t.Run(p.f.name()+" and "+p.g.name(), func(t *testing.T) { testPair(t, a, p.f, p.g) })
			}
		})
	}
	workers.Wait()
}

func testPair(t *testing.T, a *asker, f, g fault) {
	w := newWorld()
	f.inject(t, w)
	g.inject(t, w)
	var want []azure.Code
	if f.shows(g) {
		want = append(want, f.code)
	}
	if g.shows(f) {
		want = append(want, g.code)
	}
	r := a.diff(t, w)
	if !wantCodes(t, "injected", r, want...) || f.large || g.large {
		return
	}
	mended := f.code
	if !f.shows(g) {
		mended = g.code
	}
	for _, found := range r.Findings {
		if found.Code != mended {
			continue
		}
		if err := w.mend(found); err != nil {
			t.Fatal(err)
		}
	}
	left := []azure.Code{f.code, g.code}
	left = slices.DeleteFunc(left, func(c azure.Code) bool { return c == mended || c == f.mends })
	wantCodes(t, string(mended)+" mended\n"+explain(r), a.diff(t, w), left...)
}
