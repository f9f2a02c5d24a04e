package tomlfile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Source remembers where the keys of a file are. Its zero value describes values
// that were not read from a file.
type Source struct {
	File  string
	lines map[string]int      // by dotted key, as in Error.Key
	elems map[string][]string // by array: the key of each element
}

// Elem returns the key of element i of an array; id names the element if the values
// were not read from a file.
func (s *Source) Elem(array string, i int, id any) string {
	if keys := s.elems[array]; i < len(keys) {
		return keys[i]
	}
	return fmt.Sprintf("%s.%v", array, id)
}

// Line returns the line of key, or of the nearest table above it.
func (s *Source) Line(key string) int {
	for key != "" {
		if n := s.lines[key]; n > 0 {
			return n
		}
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
	}
	return s.lines[""]
}

// Has reports whether key is in the file.
func (s *Source) Has(key string) bool { return s.lines[key] > 0 }

// Empty reports whether the file has no key at all.
func (s *Source) Empty() bool { return len(s.lines) == 1 }

// First returns the first of keys, separated by spaces, that is in the file; the
// first of all if none is.
func (s *Source) First(keys string) string {
	list := strings.Fields(keys)
	for _, key := range list {
		if s.Has(key) {
			return key
		}
	}
	return list[0]
}

// Errorf returns an Error at the first of keys, separated by spaces, that is in the
// file. If none is, it has the line of the nearest table above the first one.
func (s *Source) Errorf(keys, format string, args ...any) *Error {
	key := s.First(keys)
	return &Error{File: s.File, Line: s.Line(key), Key: key, Msg: fmt.Sprintf(format, args...)}
}

// Document collects faults and places while the tables of one file are read.
type Document struct {
	Source
	Errors Errors
}

// Err returns all faults, sorted and without repetitions, or nil.
func (d *Document) Err() error {
	if len(d.Errors) == 0 {
		return nil
	}
	slices.SortStableFunc(d.Errors, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), compareKeys(a.Key, b.Key), cmp.Compare(a.Msg, b.Msg))
	})
	// A fault in a table that others inherit is reported once, not once per heir.
	return slices.CompactFunc(d.Errors, func(a, b *Error) bool { return *a == *b })
}

// Element records that c was read as the next element of an array, for
// [Source.Elem].
func (d *Document) Element(array string, c Cell) {
	d.elems[array] = append(d.elems[array], c.Key)
	d.lines[c.Key] = c.Line
}

// Expand records that element i of an array stands for several, which are at the given places.
func (d *Document) Expand(array string, i int, places []Cell) {
	keys := make([]string, len(places))
	for k, c := range places {
		keys[k] = c.Key
		d.lines[c.Key] = c.Line
	}
	d.elems[array] = slices.Replace(d.elems[array], i, i+1, keys...)
}

// Cell is one value of the file and its place.
type Cell struct {
	Doc  *Document
	Key  string // dotted path
	Line int
	Val  any // as decoded: string, int64, bool, []any, map[string]any, ...
	mark *mark
}

// Fail reports a fault of the value.
func (c Cell) Fail(format string, args ...any) {
	c.Doc.Errors = append(c.Doc.Errors, &Error{File: c.Doc.File, Line: c.Line, Key: c.Key, Msg: fmt.Sprintf(format, args...)})
}

// Want reports that the value has the wrong type or is out of range.
func (c Cell) Want(what string) { c.Fail("want %s, got %s", what, Show(c.Val)) }

// Items returns the elements of an array, keyed by position from 1. It reports
// a fault and returns false if the value is no array.
func (c Cell) Items(what string) ([]Cell, bool) {
	var vals []any
	switch v := c.Val.(type) {
	case []any:
		vals = v
	case []map[string]any:
		for _, m := range v {
			vals = append(vals, m)
		}
	default:
		c.Want(what)
		return nil, false
	}
	out := make([]Cell, len(vals))
	for i, v := range vals {
		m := c.mark.item(i)
		out[i] = Cell{c.Doc, fmt.Sprintf("%s[%d]", c.Key, i+1), m.lineOr(c.Line), v, m}
	}
	return out, true
}

// Text returns a string. It reports a fault and returns false if the value is
// something else.
func (c Cell) Text(what string) (string, bool) {
	s, ok := c.Val.(string)
	if !ok {
		c.Want(what)
	}
	return s, ok
}

// Table is a table of the file. [Table.Done] reports the keys that nobody has
// asked for.
type Table struct {
	Cell
	vals  map[string]any
	known []string
}

// Table reports a fault and returns false if the value is no table.
func (c Cell) Table() (*Table, bool) {
	vals, ok := c.Val.(map[string]any)
	if !ok {
		c.Want("a table")
		return nil, false
	}
	c.Doc.lines[c.Key] = c.Line
	return &Table{Cell: c, vals: vals}, true
}

// Get returns the value of key, and whether it is in the table.
func (t *Table) Get(key string) (Cell, bool) {
	t.known = append(t.known, key)
	v, ok := t.vals[key]
	if !ok {
		return Cell{}, false
	}
	return t.at(key, v), true
}

func (t *Table) at(key string, v any) Cell {
	m := t.mark.kid(key)
	c := Cell{t.Doc, join(t.Key, key), m.lineOr(t.Line), v, m}
	t.Doc.lines[c.Key] = c.Line
	return c
}

// Has reports whether key is in the table, whatever its value.
func (t *Table) Has(key string) bool {
	_, ok := t.vals[key]
	return ok
}

// Each calls f for every key, in the order of the names. It is for tables whose keys
// the user names.
func (t *Table) Each(f func(name string, c Cell)) {
	for _, name := range SortedKeys(t.vals) {
		f(name, t.at(name, t.vals[name]))
	}
}

// Sub returns the table under key; nil if it is missing or no table.
func (t *Table) Sub(key string) *Table {
	c, ok := t.Get(key)
	if !ok {
		return nil
	}
	out, _ := c.Table()
	return out
}

// Tables returns the array of tables under key. The value of the key id names each
// in errors; a table without one, or with one that an earlier table has, goes by
// its position.
func (t *Table) Tables(key, id string) []*Table {
	c, ok := t.Get(key)
	if !ok {
		return nil
	}
	cells, _ := c.Items("an array of tables ([[" + key + "]])")
	var out []*Table
	for _, item := range cells {
		vals, _ := item.Val.(map[string]any)
		if name := identity(vals[id]); name != "" && !t.Doc.Source.Has(join(c.Key, name)) {
			item.Key = join(c.Key, name)
		}
		if sub, ok := item.Table(); ok {
			out = append(out, sub)
			t.Doc.Element(c.Key, item)
		}
	}
	return out
}

func identity(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// Done reports the keys that nobody has asked for.
func (t *Table) Done() {
	for _, key := range SortedKeys(t.vals) {
		if !slices.Contains(t.known, key) {
			t.at(key, nil).Fail("unknown key%s", DidYouMean(key, t.known))
		}
	}
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

// Show quotes a value for an error: short, and on one line.
func Show(v any) string {
	switch v := v.(type) {
	case string:
		if utf8.RuneCountInString(v) > 40 {
			v = string([]rune(v)[:40]) + "..."
		}
		return strconv.Quote(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return fmt.Sprintf("%.1f", v)
		}
		return fmt.Sprint(v)
	case int64, bool:
		return fmt.Sprint(v)
	case time.Time:
		return "a date"
	case []any, []map[string]any:
		return "an array"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprintf("%T", v)
}
