package ctl

import (
	"io"
	"strings"
)

// sampleRows is the number of rows by which a table sets the widths of its columns.
// Later rows are printed as they arrive, so that a table of any length needs no
// memory.
const sampleRows = 500

// gap is the number of spaces between columns.
const gap = 2

// fit selects the treatment of a cell that is wider than its column.
type fit uint8

const (
	overflow fit = iota // the cells to its right move to the next line
	wrapped             // the cell continues on the next line
	elided              // the cell is cut
)

// readable is the width below which a wrapped column is hard to read. Its cells that
// need more than one line are then printed below their rows, like notes.
const readable = 24

// column describes the layout of the cells below one heading. The last column gets
// the rest of the line.
type column struct {
	head  string
	right bool
	max   int // largest width; 0: as wide as its widest cell
	min   int // smallest width if max is set; a last column with less room is dropped
	fit   fit
}

// table prints rows under headings within a width, and notes below the rows.
//
// text/tabwriter aligns all columns alike and neither wraps nor shortens cells, so that
// all of this would remain, to prepare its input. The table libraries hold every row in
// memory until the last one, where a full table of routes has a million.
type table struct {
	out     io.Writer
	width   int
	columns []column
	widths  []int // set once the columns are fixed
	sample  []tableRow
}

type tableRow struct {
	cells []string
	note  string // printed below the row, over the whole width
}

func (a *app) newTable(columns ...column) *table {
	return &table{out: a.Out, width: a.Width, columns: columns}
}

// row adds a row with as many cells as there are columns.
func (t *table) row(cells ...string) { t.rowWithNote("", cells...) }

// rowWithNote adds a row and a text that is printed below it.
func (t *table) rowWithNote(note string, cells ...string) {
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	r := tableRow{cells, printable(note)}
	if t.widths != nil {
		t.print(r)
		return
	}
	t.sample = append(t.sample, r)
	if len(t.sample) == sampleRows {
		t.fix()
	}
}

// end prints the rows of the sample if no more have come. A table without rows has no
// headings either.
func (t *table) end() {
	if t.widths == nil && len(t.sample) > 0 {
		t.fix()
	}
}

// fix sets the widths of the columns by the sample, and prints it.
func (t *table) fix() {
	t.measure()
	last := len(t.columns) - 1
	if t.widths[last] < t.columns[last].min {
		t.columns = t.columns[:last]
	}
	heads := make([]string, len(t.columns))
	for i, c := range t.columns {
		heads[i] = c.head
	}
	t.print(tableRow{cells: heads})
	for _, r := range t.sample {
		t.print(r)
	}
	t.sample = nil
}

// measure gives each column the width of its widest cell, within its limits, and
// shrinks other columns until the last one has enough room.
func (t *table) measure() {
	t.widths = make([]int, len(t.columns))
	last := len(t.columns) - 1
	left := t.width - gap*last
	for i, c := range t.columns {
		w := length(c.head)
		for _, r := range t.sample {
			w = max(w, widest(strings.Split(r.cells[i], "\n")))
		}
		if c.max > 0 {
			w = min(w, max(c.max, length(c.head)))
		}
		t.widths[i] = w
		if i < last {
			left -= w
		}
	}
	want := t.widths[last]
	if t.columns[last].fit != overflow {
		want = min(want, readable)
	}
	for left < want && t.shrink() {
		left++
	}
	if t.columns[last].fit != overflow {
		t.widths[last] = min(t.widths[last], max(left, 1))
	}
}

// shrink takes one character from the widest column that may shrink.
func (t *table) shrink() bool {
	widest := -1
	for i, c := range t.columns[:len(t.columns)-1] {
		if c.max > 0 && t.widths[i] > max(c.min, length(c.head)) && (widest < 0 || t.widths[i] > t.widths[widest]) {
			widest = i
		}
	}
	if widest < 0 {
		return false
	}
	t.widths[widest]--
	return true
}

func (t *table) print(r tableRow) {
	last := len(t.columns) - 1
	cells, under := r.cells[:last+1], ""
	if t.columns[last].fit == wrapped && t.cramped(cells[last]) {
		cells, under = append(cells[:last:last], ""), cells[last]
	}
	for _, l := range t.layout(cells) {
		line(t.out, l)
	}
	for _, text := range []string{under, r.note} {
		if text != "" {
			hang(t.out, t.width, "    ", "    ", text)
		}
	}
}

// cramped reports whether a cell is hard to read in the last column.
func (t *table) cramped(cell string) bool {
	w := t.widths[len(t.columns)-1]
	lines := wrap(cell, w)
	return widest(lines) > w || w < readable && len(lines) > 1+strings.Count(cell, "\n")
}

// layout distributes the cells of a row over as many lines as they need.
func (t *table) layout(cells []string) []string {
	var lines []string
	put := func(n, start int, s string) {
		for len(lines) <= n {
			lines = append(lines, "")
		}
		lines[n] = pad(lines[n], start) + s
	}
	top, start := 0, 0
	for i, cell := range cells {
		c, w := t.columns[i], t.widths[i]
		parts := t.parts(cell, c, w)
		wide := widest(parts) > w && i < len(cells)-1
		if wide && start > 0 && start+widest(parts) > t.width {
			// It is too wide even for a line of its own, unless that starts further left.
			top, start = top+1, max(t.width-widest(parts), 0)
		}
		for j, part := range parts {
			put(top+j, start, part)
		}
		if wide {
			top += len(parts)
		}
		start = t.start(i + 1)
	}
	return lines
}

// start returns the position at which a column begins.
func (t *table) start(column int) int {
	n := 0
	for _, w := range t.widths[:column] {
		n += w + gap
	}
	return n
}

// parts returns the lines of one cell.
func (t *table) parts(cell string, c column, width int) []string {
	var parts []string
	switch c.fit {
	case wrapped:
		parts = wrap(cell, width)
	case elided:
		parts = []string{elide(cell, width)}
	default:
		parts = strings.Split(cell, "\n")
	}
	if c.right {
		for i, p := range parts {
			parts[i] = spaces(width-length(p)) + p
		}
	}
	return parts
}
