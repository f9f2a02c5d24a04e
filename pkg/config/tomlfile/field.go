package tomlfile

import (
	"cmp"
	"fmt"
	"slices"
)

// Value connects one place of a program's settings with its form in the file.
type Value struct {
	// Kind describes in a few words what the file may contain, for the reference.
	Kind string
	// Set reads a cell into the place. If the cell is invalid, it reports why and
	// leaves the place alone.
	Set func(Cell)
	// TOML returns the place's content as the file writes it after "=".
	TOML func() string
	// Secret keeps the value out of errors, diffs and redacted prints.
	Secret bool
	// Keys returns the keys in a file that the value names; nil: it names none. A diff
	// says only that they changed.
	Keys func() any
}

// Impact says what it costs to apply a change without a restart.
type Impact uint8

// Impacts, from the lightest to the heaviest.
const (
	Live            Impact = iota // nothing else is affected
	SoftRefresh                   // the neighbor's routes are evaluated again
	SessionReset                  // the BGP session is closed and reopened
	DeviceRecreated               // the tunnel device is deleted and created again
	Restart                       // the change takes effect when the daemon restarts
)

// String returns the impact in the words of a diff.
func (i Impact) String() string {
	names := [...]string{"live", "soft refresh", "session reset", "device recreated", "restart"}
	if int(i) < len(names) {
		return names[i]
	}
	return "unknown"
}

// Field declares one key of a table, and binds it to a place in the program's settings.
// It is all that reader, printer, diff and reference need. A table is declared as a
// function that binds its fields to the settings that it is given.
type Field struct {
	Key      string
	Value    Value
	Doc      string // for the reference: effect, unit, what the default means
	Example  string // a value for the reference, if the default is none
	Shown    bool   // the reference sets the key instead of commenting it out
	Required bool
	Impact   Impact // of changing the key in a reload
}

// ReadFields reads the keys that t has.
func ReadFields(t *Table, fields []Field) {
	for _, f := range fields {
		if c, ok := t.Get(f.Key); ok {
			f.Value.Set(c)
		} else if f.Required {
			Cell{Doc: t.Doc, Key: join(t.Key, f.Key), Line: t.Line}.Fail("required key is missing")
		}
	}
}

// SecretKeys returns the keys of fields whose values must not be shown.
func SecretKeys(fields []Field) (keys []string) {
	for _, f := range fields {
		if f.Value.Secret {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// Change is one difference between two files, and what it costs to apply it.
type Change struct {
	Object string // "neighbor 10.0.210.4", "prefix-list rs-hub00", "kernel"
	What   string // "added", "removed", or the key and its values
	Impact Impact
}

// String returns the change as one line of a diff.
func (c Change) String() string { return fmt.Sprintf("%s: %s (%s)", c.Object, c.What, c.Impact) }

// ByImpact returns changes with the costliest first, otherwise in their order.
func ByImpact(changes []Change) []Change {
	out := slices.Clone(changes)
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Compare(b.Impact, a.Impact) })
	return out
}

// DiffFields returns a change for each key of an object that differs. Old and new are the
// same fields, bound to the object before and after.
func DiffFields(object string, old, new []Field) []Change {
	var out []Change
	for i, f := range new {
		if how := f.Value.changed(old[i].Value); how != "" {
			out = append(out, Change{object, f.Key + ": " + how, f.Impact})
		}
	}
	return out
}

// changed describes how v differs from old; empty if it does not.
func (v Value) changed(old Value) string {
	a, b := old.TOML(), v.TOML()
	switch {
	case a != b && v.Secret:
		return "changed"
	case a != b:
		return orUnset(a) + " -> " + orUnset(b)
	case v.Keys != nil && v.Keys() != old.Keys():
		return "keys changed"
	}
	return ""
}

func orUnset(toml string) string {
	if toml == "" || toml == `""` {
		return "unset"
	}
	return toml
}

// DiffEach compares the elements of two arrays by name. Adding an element is always
// live; removing one costs gone.
func DiffEach[T any](kind string, old, new []T, gone Impact, name func(*T) string, diff func(object string, a, b *T) []Change) []Change {
	var out []Change
	before := map[string]*T{}
	for i := range old {
		before[name(&old[i])] = &old[i]
	}
	after := map[string]bool{}
	for i := range new {
		id := name(&new[i])
		after[id] = true
		if was := before[id]; was != nil {
			out = append(out, diff(kind+" "+id, was, &new[i])...)
		} else {
			out = append(out, Change{kind + " " + id, "added", Live})
		}
	}
	for i := range old {
		if id := name(&old[i]); !after[id] {
			out = append(out, Change{kind + " " + id, "removed", gone})
		}
	}
	return out
}
