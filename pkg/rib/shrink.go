package rib

import "slices"

// What grows with what neighbors announce is given back when they withdraw it:
// neither maps nor arrays of slices shrink by themselves.

// fewEntries are not worth giving back.
const fewEntries = 4096

// shrinks reports whether what has n entries and had most is to be made smaller.
// It is when three quarters are unused, so that the copying costs less than what
// was removed before.
func shrinks(n, most int) bool { return most > fewEntries && n < most/4 }

// fitted returns s in an array that is not much larger than it.
func fitted[S ~[]E, E any](s S) S {
	switch {
	case len(s) == 0:
		return nil
	case cap(s) > 4*len(s)+4:
		return slices.Clip(append(make(S, 0, len(s)), s...))
	}
	return s
}

// trimmed is a map that takes only as much memory as its entries need.
type trimmed[K comparable, V any] struct {
	m    map[K]V
	most int // entries since it was made
}

func (t *trimmed[K, V]) get(k K) (V, bool) {
	v, ok := t.m[k]
	return v, ok
}

func (t *trimmed[K, V]) set(k K, v V) {
	if t.m == nil {
		t.m = map[K]V{}
	}
	t.m[k] = v
	t.most = max(t.most, len(t.m))
}

func (t *trimmed[K, V]) remove(k K) {
	delete(t.m, k)
	if !shrinks(len(t.m), t.most) {
		return
	}
	left := make(map[K]V, len(t.m))
	for k, v := range t.m {
		left[k] = v
	}
	t.m, t.most = left, len(left)
}
