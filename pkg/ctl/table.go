package ctl

import (
	"io"
	"strings"
)

// sampleRows is how many rows a table looks at before it fixes its columns. The
// ones after them are printed as they come, so that a table of any length needs
// no memory.
const sampleRows = 500

// gap is the number of spaces between columns.
const gap = 2

// fit says what happens to a cell that is wider than its column.
type fit uint8

const (
	overflow fit = iota // the cells to its right go to the next line
	wrapped             // it continues in the next line
	elided              // it is cut
)

// readable is the width below which a wrapped column is no pleasure: its cells
// that need more lines than one go below their rows, like notes.
const readable = 24

// column is how the cells below one heading are laid out. The last column gets
// what the others leave of the line.
type column struct {
	head  string
	right bool
	max   int // width it may grow to; 0: as wide as its widest cell
	min   int // width it may shrink to if max is set; below it a last column is dropped
	fit   fit
}

// table lays out rows under headings, within a width.
type table struct {
	out     io.Writer
	width   int
	columns []column
	widths  []int // set once the columns are fixed
	sample  []tableRow
	err     error
}

type tableRow struct {
	cells []string
	note  string // printed below the row over the whole width
}

func newTable(out io.Writer, width int, columns ...column) *table {
	return &table{out: out, width: width, columns: columns}
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

// end prints what is left; the heading of a table without rows is not printed.
func (t *table) end() error {
	if t.widths == nil && len(t.sample) > 0 {
		t.fix()
	}
	return t.err
}

// fix sets the columns' widths by the sample and prints it.
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

// measure gives each column what its widest cell needs, within its limits, and
// takes from those that can shrink what the last one misses.
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

// shrink takes one character from the widest column that has one to spare.
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
		t.write(l)
	}
	for _, text := range []string{under, r.note} {
		if text == "" {
			continue
		}
		for _, l := range wrap(text, t.width-4) {
			t.write("    " + l)
		}
	}
}

// cramped reports whether a cell of the last column does not go well there.
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
			// Not even a line of its own is enough from here: it starts further left.
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

// start is where a column begins.
func (t *table) start(column int) int {
	n := 0
	for _, w := range t.widths[:column] {
		n += w + gap
	}
	return n
}

// parts are the lines of one cell.
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
			parts[i] = strings.Repeat(" ", max(width-length(p), 0)) + p
		}
	}
	return parts
}

func (t *table) write(s string) {
	if t.err == nil {
		t.err = line(t.out, s)
	}
}
