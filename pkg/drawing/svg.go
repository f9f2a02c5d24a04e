package drawing

import (
	"fmt"
	"strings"
)

// canvas collects elements: lines first, so that boxes cover them.
type canvas struct {
	grounds, edges, parts strings.Builder
	page                  bool

	part  *Part // that is being drawn
	inner strings.Builder
	drawn []string // its texts
}

// box is a rectangle.
type box struct{ x, y, w, h int }

func (b box) right() int  { return b.x + b.w }
func (b box) bottom() int { return b.y + b.h }
func (b box) middle() int { return b.x + b.w/2 }

// ground draws the background of a hub.
func (c *canvas) ground(class string, b box) {
	fmt.Fprintf(&c.grounds, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="10"/>`+"\n", class, b.x, b.y, b.w, b.h)
}

// edge draws a line through points, from each to the next in a horizontal or vertical direction.
func (c *canvas) edge(s State, points ...int) {
	fmt.Fprintf(&c.edges, `<path class="edge%s" d="M%d %d`, classes[s], points[0], points[1])
	for i := 2; i < len(points); i += 2 {
		fmt.Fprintf(&c.edges, "L%d %d", points[i], points[i+1])
	}
	c.edges.WriteString("\"/>\n")
}

// begin opens the group of a part.
func (c *canvas) begin(p *Part) { c.part, c.inner, c.drawn = p, strings.Builder{}, nil }

// end closes the group of a part. On the page, the part is a button, whose name begins with the
// text that is drawn (WCAG 2.2, 2.5.3), and goes on with what was cut.
func (c *canvas) end() {
	p := c.part
	full := joined(", ", p.Title, p.Word, p.Detail)
	if c.page && p.Kind != "" {
		label := strings.Join(c.drawn, " ")
		if strings.Contains(label, "…") {
			label += ": " + full
		}
		fmt.Fprintf(&c.parts, `<g class="item%s" data-nva="%s" data-kind="%s" data-name="%s" tabindex="0" role="button" aria-label="%s">`,
			classes[p.State], escaped(p.NVA), escaped(p.Kind), escaped(p.Name), escaped(label))
	} else {
		fmt.Fprintf(&c.parts, `<g class="item%s">`, classes[p.State])
	}
	if full != "" {
		fmt.Fprintf(&c.parts, "<title>%s</title>", escaped(full))
	}
	c.parts.WriteString(c.inner.String() + "</g>\n")
}

// caption draws a line of text that belongs to no part.
func (c *canvas) caption(class string, x, y int, s string) {
	fmt.Fprintf(&c.parts, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, escaped(s))
}

func (c *canvas) rect(class string, b box) {
	fmt.Fprintf(&c.inner, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="6"/>`, class, b.x, b.y, b.w, b.h)
}

func (c *canvas) text(class string, x, y int, s string) {
	if s != "" {
		c.drawn = append(c.drawn, s)
		fmt.Fprintf(&c.inner, `<text class="%s" x="%d" y="%d">%s</text>`, class, x, y, escaped(s))
	}
}

// word writes the state of a part at the right edge, after a detail.
func (c *canvas) word(x, y int, detail, s string) {
	if s == "" {
		return
	}
	if detail != "" {
		detail += " · "
	}
	c.drawn = append(c.drawn, detail+s)
	fmt.Fprintf(&c.inner, `<text class="word" x="%d" y="%d" text-anchor="end"><tspan>%s</tspan>%s</text>`, x, y, escaped(detail), escaped(s))
}

// mark draws the sign of a state: a disc, a cross, a ring, or a ring with a gap.
func (c *canvas) mark(s State, x, y int) {
	switch s {
	case Up:
		fmt.Fprintf(&c.inner, `<circle class="mark" cx="%d" cy="%d" r="4"/>`, x, y)
	case Down:
		fmt.Fprintf(&c.inner, `<path class="mark" d="M%d %dl8 8m0 -8l-8 8"/>`, x-4, y-4)
	case Waiting:
		fmt.Fprintf(&c.inner, `<circle class="mark" cx="%d" cy="%d" r="4"/>`, x, y)
	case Unknown:
		fmt.Fprintf(&c.inner, `<circle class="mark" cx="%d" cy="%d" r="4" stroke-dasharray="3 3"/>`, x, y)
	}
}

// head draws a box of a part, with its title and its detail.
func (c *canvas) head(p *Part, b box) {
	c.rect("box", b)
	x := b.x + gap
	if p.State != Plain {
		c.mark(p.State, x+4, b.y+16)
		x += 16
	}
	room := b.w - (x - b.x) - gap
	word := cut(p.Word, room/2, detailChar)
	c.text("title", x, b.y+20, cut(p.Title, room-textWidth(word)-gap, titleChar))
	c.word(b.right()-gap, b.y+20, "", word)
	c.text("detail", b.x+gap, b.y+36, cut(p.Detail, b.w-2*gap, detailChar))
}

// row draws a part in one line: mark, name, and its state at the right.
func (c *canvas) row(p *Part, b box) {
	c.begin(p)
	c.rect("row", box{b.x + 3, b.y, b.w - 6, b.h})
	c.mark(p.State, b.x+gap+4, b.y+b.h/2)
	room := b.w - 2*gap - 16
	detail := visible(p.Detail)
	if textWidth(p.Title+detail+p.Word)+4*gap > room {
		detail = ""
	}
	word := cut(p.Word, room/2, detailChar)
	used := textWidth(word) + gap
	if detail != "" {
		used += textWidth(detail + " · ")
	}
	c.text("name", b.x+gap+16, b.y+15, cut(p.Title, room-used, detailChar))
	c.word(b.right()-gap, b.y+15, detail, word)
	c.end()
}

// rows draws parts below each other and returns where they end.
func (c *canvas) rows(list []Part, b box) int {
	y := b.y
	for i := range list {
		if i == mostRows {
			more := Part{Title: fmt.Sprintf("and %d more", len(list)-i)}
			c.row(&more, box{b.x, y, b.w, rowHeight})
			return y + rowHeight
		}
		c.row(&list[i], box{b.x, y, b.w, rowHeight})
		y += rowHeight
	}
	return y
}

func rowsHeight(n int) int {
	if n > mostRows {
		n = mostRows + 1
	}
	return n * rowHeight
}
