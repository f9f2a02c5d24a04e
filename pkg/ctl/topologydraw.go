package ctl

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// drawText draws a tree in lines of at most width.
func drawText(out io.Writer, root *node, width int) error {
	var b strings.Builder
	b.WriteString(printable(elide(trimmed(root.title+"  "+root.detail), width)) + "\n")
	if root.caption != "" {
		b.WriteString(printable(elide(root.caption, width)) + "\n")
	}
	textBelow(&b, root, "", width)
	_, err := io.WriteString(out, b.String())
	return err
}

func textBelow(b *strings.Builder, n *node, indent string, width int) {
	for i, c := range n.below {
		branch, next := "├─ ", "│  "
		if i == len(n.below)-1 {
			branch, next = "└─ ", "   "
		}
		mark := [...]string{plain: "", well: "● ", ill: "○ "}[c.health]
		b.WriteString(printable(elide(joined("  ", indent+branch+mark+c.title, c.detail), width)) + "\n")
		textBelow(b, c, indent+next, width)
	}
}

func trimmed(s string) string { return strings.TrimSpace(s) }

// nodeJSON is a node for programs that draw themselves.
type nodeJSON struct {
	Title   string     `json:"title"`
	Detail  string     `json:"detail"`
	Caption string     `json:"caption,omitempty"`
	Up      *bool      `json:"up"` // null: neither up nor down
	Below   []nodeJSON `json:"below"`
}

func (n *node) forJSON() nodeJSON {
	out := nodeJSON{Title: n.title, Detail: n.detail, Caption: n.caption, Below: []nodeJSON{}}
	if n.health != plain {
		up := n.health == well
		out.Up = &up
	}
	for _, c := range n.below {
		out.Below = append(out.Below, c.forJSON())
	}
	return out
}

// drawMermaid draws a tree as a flowchart.
func drawMermaid(out io.Writer, root *node) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	next := 0
	var draw func(n *node) int
	draw = func(n *node) int {
		id := next
		next++
		text := joined("<br/>", mermaidText(n.title), mermaidText(n.detail), mermaidText(n.caption))
		fmt.Fprintf(&b, "  n%d[\"%s\"]%s\n", id, text, [...]string{plain: "", well: ":::well", ill: ":::ill"}[n.health])
		for _, c := range n.below {
			edge := "---"
			if c.health == ill {
				edge = "-.-"
			}
			child := draw(c)
			fmt.Fprintf(&b, "  n%d %s n%d\n", id, edge, child)
		}
		return id
	}
	draw(root)
	b.WriteString("  classDef well stroke:#2e7d32,stroke-width:2px\n  classDef ill stroke:#c62828,stroke-width:2px,stroke-dasharray:4 3\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// mermaidText escapes a text between quotes: characters that would end the quotes or
// begin markup become entities.
func mermaidText(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ").Replace(printable(s))
}

// Sizes of the SVG in pixels.
const (
	boxWidth, boxHeight = 236, 46
	columnGap, rowGap   = 44, 14
	margin              = 16
	captionHeight       = 24
	boxText             = 34 // characters that fit into a box
)

// style has colors for light and dark mode.
const style = `
  .bg{fill:#ffffff} .box{fill:#f6f8fa;stroke:#8c959f} .well{stroke:#1a7f37;stroke-width:2} .ill{stroke:#cf222e;stroke-width:2;stroke-dasharray:5 3}
  .edge{fill:none;stroke:#8c959f} .edge.well{stroke-width:1.5} .edge.ill{stroke:#cf222e;stroke-width:1.5} text{font:11px system-ui,sans-serif;fill:#57606a} .title{font-weight:600;font-size:12px;fill:#1f2328}
  @media (prefers-color-scheme: dark){.bg{fill:#0d1117} .box{fill:#161b22;stroke:#6e7681} .well{stroke:#3fb950} .ill{stroke:#f85149}
  .edge{stroke:#6e7681} .edge.ill{stroke:#f85149} text{fill:#9198a1} .title{fill:#e6edf3}}
`

// drawSVG draws a tree from left to right, with each leaf in a row of its own.
func drawSVG(out io.Writer, root *node) error {
	p := &picture{}
	p.place(root, 0)
	width := margin*2 + (p.depth+1)*boxWidth + p.depth*columnGap
	height := margin*2 + p.rows*(boxHeight+rowGap) - rowGap
	if root.caption != "" {
		height += captionHeight
		fmt.Fprintf(&p.boxes, "<text x=\"%d\" y=\"%d\">%s</text>\n", margin, height-margin, escaped(root.caption))
	}
	_, err := fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">
<title>%s</title>
<style>%s</style>
<rect class="bg" width="%[1]d" height="%[2]d"/>
%[5]s%[6]s</svg>
`, width, height, escaped(trimmed(root.title+" "+root.caption)), style, p.edges.String(), p.boxes.String())
	return err
}

type picture struct {
	rows, depth  int
	edges, boxes strings.Builder
}

// place draws n and the nodes below it, and returns the height of its middle.
func (p *picture) place(n *node, depth int) (middle int) {
	p.depth = max(p.depth, depth)
	x := margin + depth*(boxWidth+columnGap)
	if len(n.below) == 0 {
		middle = margin + p.rows*(boxHeight+rowGap) + boxHeight/2
		p.rows++
	}
	var ends []int
	for _, c := range n.below {
		ends = append(ends, p.place(c, depth+1))
	}
	if len(ends) > 0 {
		middle = (ends[0] + ends[len(ends)-1]) / 2
	}
	for i, end := range ends {
		from, to := x+boxWidth, x+boxWidth+columnGap
		fmt.Fprintf(&p.edges, "<path class=\"edge%s\" d=\"M%d %d C%d %d %d %d %d %d\"/>\n", class(n.below[i].health),
			from, middle, from+columnGap/2, middle, to-columnGap/2, end, to, end)
	}
	p.box(n, x, middle-boxHeight/2)
	return middle
}

func (p *picture) box(n *node, x, y int) {
	fmt.Fprintf(&p.boxes, "<g><title>%s</title><rect class=\"box%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n",
		escaped(n.title+": "+n.detail), class(n.health), x, y, boxWidth, boxHeight)
	fmt.Fprintf(&p.boxes, "<text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n<text x=\"%d\" y=\"%d\">%s</text></g>\n",
		x+10, y+19, escaped(elide(n.title, boxText-4)), x+10, y+35, escaped(elide(n.detail, boxText)))
}

func class(h health) string { return [...]string{plain: "", well: " well", ill: " ill"}[h] }

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(printable(s))) // a builder accepts everything
	return b.String()
}
