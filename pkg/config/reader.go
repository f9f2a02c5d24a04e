package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// document collects what is found while the tables of one file are read.
type document struct {
	file   string
	errors Errors
	lines  map[string]int      // of each key that was read
	elems  map[string][]string // keys of the elements that were read, by array
}

func (d *document) fail(line int, key, format string, args ...any) {
	d.errors = append(d.errors, &Error{File: d.file, Line: line, Key: key, Msg: fmt.Sprintf(format, args...)})
}

// element notes that c is the next element that was read of an array.
func (d *document) element(array string, c cell) {
	d.elems[array] = append(d.elems[array], c.key)
	d.lines[c.key] = c.line
}

// cell is one value of the file and where it stands.
type cell struct {
	doc  *document
	key  string // dotted path
	line int
	val  any
	mark *mark
}

func (c cell) fail(format string, args ...any) {
	c.doc.fail(c.line, c.key, format, args...)
}

// want reports a value of the wrong type or out of range.
func (c cell) want(what string) { c.fail("want %s, got %s", what, show(c.val)) }

// items is the elements of an array, keyed by place from 1; a fault and false
// if it is something else.
func (c cell) items(what string) ([]cell, bool) {
	var vals []any
	switch v := c.val.(type) {
	case []any:
		vals = v
	case []map[string]any:
		for _, m := range v {
			vals = append(vals, m)
		}
	default:
		c.want(what)
		return nil, false
	}
	out := make([]cell, len(vals))
	for i, v := range vals {
		m := c.mark.item(i)
		out[i] = cell{c.doc, fmt.Sprintf("%s[%d]", c.key, i+1), m.lineOr(c.line), v, m}
	}
	return out, true
}

// text is a string; a fault and false if it is something else.
func (c cell) text(what string) (string, bool) {
	s, ok := c.val.(string)
	if !ok {
		c.want(what)
	}
	return s, ok
}

// table is a cell's keys. Each key that is asked for is known; done reports
// the others.
type table struct {
	cell
	vals  map[string]any
	known []string
}

// table reports a fault and false if c is something else.
func (c cell) table() (*table, bool) {
	vals, ok := c.val.(map[string]any)
	if !ok {
		c.want("a table")
		return nil, false
	}
	c.doc.lines[c.key] = c.line
	return &table{cell: c, vals: vals}, true
}

// get is the value of key, and whether it is there.
func (t *table) get(key string) (cell, bool) {
	t.known = append(t.known, key)
	v, ok := t.vals[key]
	if !ok {
		return cell{}, false
	}
	return t.at(key, v), true
}

func (t *table) at(key string, v any) cell {
	m := t.mark.kid(key)
	c := cell{t.doc, join(t.key, key), m.lineOr(t.line), v, m}
	t.doc.lines[c.key] = c.line
	return c
}

// has reports whether key is there, whatever its value.
func (t *table) has(key string) bool {
	_, ok := t.vals[key]
	return ok
}

// each calls f for every key in the order of the names: tables whose keys the
// user names.
func (t *table) each(f func(name string, c cell)) {
	for _, name := range sortedKeys(t.vals) {
		f(name, t.at(name, t.vals[name]))
	}
}

// sub is the table under key; nil if it is absent or something else.
func (t *table) sub(key string) *table {
	c, ok := t.get(key)
	if !ok {
		return nil
	}
	out, _ := c.table()
	return out
}

// tables is the array of tables under key. Each is called by the value of
// its key id, or by its place if it has none or another one has the same.
func (t *table) tables(key, id string) []*table {
	c, ok := t.get(key)
	if !ok {
		return nil
	}
	cells, _ := c.items("an array of tables ([[" + key + "]])")
	var out []*table
	for _, item := range cells {
		vals, _ := item.val.(map[string]any)
		if name := identity(vals[id]); name != "" && t.doc.lines[join(c.key, name)] == 0 {
			item.key = join(c.key, name)
		}
		if sub, ok := item.table(); ok {
			out = append(out, sub)
			t.doc.element(c.key, item)
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

// done reports keys that nobody asked for.
func (t *table) done() {
	for _, key := range sortedKeys(t.vals) {
		if !slices.Contains(t.known, key) {
			t.at(key, nil).fail("unknown key%s", didYouMean(key, t.known))
		}
	}
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

// show is a value as an error quotes it: short, and on one line.
func show(v any) string {
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
