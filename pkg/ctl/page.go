package ctl

import (
	"fmt"
	"io"
	"strings"
)

// page is one object in detail: labels with values, in sections.
type page struct {
	out   io.Writer
	width int
	items []item
}

// item is a field, or a heading if it has no label.
type item struct{ label, text string }

func newPage(out io.Writer, width int) *page { return &page{out: out, width: width} }

// heading starts a section.
func (p *page) heading(format string, args ...any) {
	p.items = append(p.items, item{text: fmt.Sprintf(format, args...)})
}

// field adds a value; an empty one is left out.
func (p *page) field(label, value string) {
	if value != "" {
		p.items = append(p.items, item{label, value})
	}
}

// print writes the page. A section without fields is left out, unless it is the
// first, which is the title.
func (p *page) print() error {
	labels := 0
	for _, it := range p.items {
		labels = max(labels, length(it.label))
	}
	for i, it := range p.items {
		if it.label == "" {
			empty := i+1 == len(p.items) || p.items[i+1].label == ""
			if i > 0 && empty {
				continue
			}
			if err := p.title(i, it.text); err != nil {
				return err
			}
			continue
		}
		if err := p.value(it, labels); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) title(i int, text string) error {
	if i > 0 {
		text = "\n" + text
	}
	return line(p.out, strings.Join(wrap(printable(text), p.width), "\n"))
}

func (p *page) value(it item, labels int) error {
	indent := 2 + labels + gap
	for i, l := range wrap(printable(it.text), p.width-indent) {
		label := ""
		if i == 0 {
			label = it.label
		}
		if err := line(p.out, "  "+pad(label, labels+gap)+l); err != nil {
			return err
		}
	}
	return nil
}
