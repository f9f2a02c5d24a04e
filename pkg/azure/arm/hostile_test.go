package arm

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStrangeAnswers replaces each part of each answer in turn by something else: the client
// may miss something, but it does not fall over.
func TestStrangeAnswers(t *testing.T) {
	tried := 0
	for _, field := range []string{"docs", "lists", "results"} {
		for _, path := range newWorld(t).paths(field) {
			if strings.Contains(path, "/nic-nva1b/") || strings.Contains(path, "/nic-web/") {
				continue // the same as nic-nva1's
			}
			for k := 0; ; k++ {
				w := newWorld(t)
				left := k
				if !w.replace(field, path, &left) {
					break
				}
				tried++
				if _, err := w.client(Options{}).Snapshot(t.Context(), all); err != nil && !strings.Contains(err.Error(), "the VM itself can't be read") {
					t.Errorf("%s, part %d: %v", path, k, err)
				}
			}
		}
	}
	if tried < 900 {
		t.Errorf("only %d parts were replaced", tried)
	}
}

func (w *world) paths(field string) []string {
	switch field {
	case "docs":
		return slices.Sorted(maps.Keys(w.docs))
	case "lists":
		return slices.Sorted(maps.Keys(w.lists))
	}
	return slices.Sorted(maps.Keys(w.results))
}

// replace replaces a part of an answer, and reports whether there is one of that number.
func (w *world) replace(field, path string, left *int) bool {
	one := func(doc string) (string, bool) {
		var v any
		if err := json.Unmarshal([]byte(doc), &v); err != nil {
			panic(err)
		}
		v, ok := mutate(v, left)
		out, _ := json.Marshal(v)
		return string(out), ok
	}
	var ok bool
	switch field {
	case "docs":
		w.docs[path], ok = one(w.docs[path])
	case "results":
		w.results[path], ok = one(w.results[path])
	default:
		for i := range w.lists[path] {
			if w.lists[path][i], ok = one(w.lists[path][i]); ok {
				return true
			}
		}
	}
	return ok
}

// strange has the values that replace a part.
var strange = []any{nil, []any{nil}}

// mutate replaces one part of v, counting down to it.
func mutate(v any, left *int) (any, bool) {
	if *left < len(strange) {
		return strange[*left], true
	}
	*left -= len(strange)
	switch v := v.(type) {
	case []any:
		for i := range v {
			if m, ok := mutate(v[i], left); ok {
				v[i] = m
				return v, true
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if m, ok := mutate(v[k], left); ok {
				v[k] = m
				return v, true
			}
		}
	}
	return v, false
}

// TestNullsEverywhere: a null in each list changes nothing.
func TestNullsEverywhere(t *testing.T) {
	w := newWorld(t)
	want, err := w.client(Options{}).Snapshot(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	w = newWorld(t)
	nulls := strings.NewReplacer("[{", "[null,{", `["`, `[null,"`)
	for k := range w.docs {
		w.docs[k] = nulls.Replace(w.docs[k])
	}
	for k := range w.results {
		w.results[k] = nulls.Replace(w.results[k])
	}
	for k := range w.lists {
		for i := range w.lists[k] {
			w.lists[k][i] = "null," + nulls.Replace(w.lists[k][i])
		}
	}
	got, err := w.client(Options{}).Snapshot(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	got.Taken = want.Taken
	a, _ := json.MarshalIndent(want, "", " ")
	b, _ := json.MarshalIndent(got, "", " ")
	if diff := cmp.Diff(string(a), string(b)); diff != "" {
		t.Error(diff)
	}
}
