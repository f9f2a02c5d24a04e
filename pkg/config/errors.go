package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one fault of a configuration file.
type Error struct {
	File string
	Line int // from 1; 0 if the fault is the file's as a whole
	// Key is the dotted path of the key. An array's element stands under the
	// name that identifies it ("neighbor.10.0.210.4.port"), one without such a
	// name under its place, counted from 1 ("neighbor[2].address").
	Key string
	Msg string
}

// Error is "file:line: key: message", without what is not known.
func (e *Error) Error() string {
	return place(e.File, e.Line, e.Key) + e.Msg
}

// place is the "file:line: key: " that begins errors and warnings.
func place(file string, line int, key string) string {
	var b strings.Builder
	b.WriteString(file)
	if line > 0 {
		fmt.Fprintf(&b, ":%d", line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if key != "" {
		b.WriteString(key + ": ")
	}
	return b.String()
}

// Errors is every fault of a configuration file, in the order of its lines.
type Errors []*Error

// Error is one line per fault, without a newline at the end.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the faults to errors.As.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, err := range e {
		out[i] = err
	}
	return out
}

// sorted orders by line and drops repetitions, so that a fault of a peer-group
// is not told once for every neighbor that inherits it.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), compareKeys(a.Key, b.Key), cmp.Compare(a.Msg, b.Msg))
	})
	return slices.CompactFunc(e, func(a, b *Error) bool { return *a == *b })
}

// compareKeys puts element 10 of a list behind element 9.
func compareKeys(a, b string) int {
	listA, placeA, _ := strings.Cut(a, "[")
	listB, placeB, _ := strings.Cut(b, "[")
	return cmp.Or(cmp.Compare(listA, listB), cmp.Compare(len(placeA), len(placeB)), cmp.Compare(placeA, placeB))
}
