package drawing

import (
	"fmt"
	"strings"
)

// Draw returns the site as an SVG document.
func Draw(s *Site, o Options) []byte {
	width := max(o.Width, Narrowest)
	c := &canvas{page: o.Page}
	l := layout{c: c, width: width, places: map[string]box{}, column: map[string]int{}}
	y := l.hubs(s.Hubs)
	y = l.tunnels(s.Tunnels, y)
	if s.Caption != "" {
		c.caption("detail", margin, y+gap+14, cut(s.Caption, width-2*margin, detailChar))
		y += gap + 14
	}
	return c.document(s, width, y+margin)
}

// document puts the elements into one document.
func (c *canvas) document(s *Site, width, height int) []byte {
	var out strings.Builder
	role := `role="img"`
	if c.page {
		role = `role="group"`
	}
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" class="drawing" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" %[3]s aria-label="%[4]s">`+"\n",
		width, height, role, escaped(s.Title))
	if !c.page {
		fmt.Fprintf(&out, "<title>%s</title>\n<style>%s</style>\n", escaped(s.Title), ownStyle())
		fmt.Fprintf(&out, `<rect class="ground" width="%d" height="%d"/>`+"\n", width, height)
	}
	out.WriteString(c.grounds.String() + c.edges.String() + c.parts.String() + "</svg>\n")
	return []byte(out.String())
}

// layout places hubs in rows, and the tunnels below them. Lines from NVAs to tunnels run down in
// the gutters beside the hubs.
type layout struct {
	c       *canvas
	width   int
	columns int
	hubW    int
	left    int            // where the first hub begins
	places  map[string]box // of NVAs
	column  map[string]int // of the hub of an NVA
	lines   []int          // lines in each gutter so far
}

func (l *layout) hubs(list []Hub) int {
	l.columns = max(min((l.width-2*margin+gutter)/(hubLeast+gutter), len(list)), 1)
	side := 0 // gutter of a single column, at its right
	if l.columns == 1 {
		side = gutter / 2
	}
	l.hubW = min((l.width-2*margin-side-(l.columns-1)*gutter)/l.columns, hubMost)
	l.left = (l.width - side - l.columns*l.hubW - (l.columns-1)*gutter) / 2
	l.lines = make([]int, l.columns+1)
	y := margin
	for first := 0; first < len(list); first += l.columns {
		row := list[first:min(first+l.columns, len(list))]
		bottom := y
		for i := range row {
			for _, n := range row[i].NVAs {
				l.column[n.Name] = i
			}
			bottom = max(bottom, l.c.hub(&row[i], l.cell(i, y), l.places))
		}
		for i := range row {
			cell := l.cell(i, y)
			cell.h = bottom - y
			l.c.ground("hub", cell)
		}
		y = bottom + gap
	}
	return y
}

func (l *layout) cell(column, y int) box {
	return box{x: l.left + column*(l.hubW+gutter), y: y, w: l.hubW}
}

// tunnels draws the tunnels below each other.
func (l *layout) tunnels(list []Tunnel, y int) int {
	for i := range list {
		if i == mostTunnels {
			l.c.caption("detail", margin, y+14, fmt.Sprintf("and %d more tunnels", len(list)-i))
			return y + 24
		}
		y = l.tunnel(&list[i], y+gap)
	}
	return y
}

// remoteWidth is the width of a remote beside its tunnel.
const remoteWidth = 210

// tunnel draws a tunnel and the lines to its ends.
func (l *layout) tunnel(t *Tunnel, y int) int {
	from, to := l.gutters(t)
	b := box{y: y, w: min(tunnelMost, l.width-2*margin-gutter/2), h: headHeight + rowsHeight(len(t.Rows))}
	if len(t.Rows) > 0 {
		b.h += 6
	}
	b.x = max(min((from+to)/2-b.w/2, l.width-margin-b.w), margin)
	wide := t.Remote != nil && l.width-2*margin >= b.w+stem+remoteWidth
	left := from+b.w/2+stem+remoteWidth > l.width-margin // no room at the right
	if wide && left {
		b.x = max(b.x, margin+remoteWidth+stem)
	}
	l.line(t.From, from, b, t.State)
	if t.Remote == nil {
		l.line(t.To, to, b, t.State)
	}
	l.c.begin(&t.Part)
	l.c.head(&t.Part, b)
	l.c.end()
	l.c.rows(t.Rows, box{b.x, y + headHeight, b.w, 0})
	switch {
	case t.Remote == nil:
		return b.bottom()
	case wide && left:
		l.remote(t, box{b.x - stem - remoteWidth, y, remoteWidth, headHeight})
		l.c.edge(t.State, b.x, y+headHeight/2, b.x-stem, y+headHeight/2)
		return b.bottom()
	case wide:
		l.remote(t, box{b.right() + stem, y, remoteWidth, headHeight})
		l.c.edge(t.State, b.right(), y+headHeight/2, b.right()+stem, y+headHeight/2)
		return b.bottom()
	}
	l.remote(t, box{b.x, b.bottom() + stem, b.w, headHeight})
	l.c.edge(t.State, b.middle(), b.bottom(), b.middle(), b.bottom()+stem)
	return b.bottom() + stem + headHeight
}

func (l *layout) remote(t *Tunnel, b box) {
	l.c.begin(t.Remote)
	l.c.head(t.Remote, b)
	l.c.end()
}

// gutters returns where the lines of a tunnel run down. Two hubs side by side share the gutter
// between them.
func (l *layout) gutters(t *Tunnel) (from, to int) {
	a, b := l.column[t.From], l.column[t.To]
	if t.Remote != nil {
		x := l.gutter(a + 1)
		return x, x
	}
	switch {
	case l.columns == 1 || a == b:
		return l.gutter(a + 1), l.gutter(b + 1)
	case a < b:
		return l.gutter(a + 1), l.gutter(b)
	}
	return l.gutter(a), l.gutter(b + 1)
}

// gutter returns the place for one more line in the gutter before a column.
func (l *layout) gutter(n int) int {
	const apart = 6
	k := l.lines[n] % (gutter / apart / 2)
	l.lines[n]++
	x := l.left + n*(l.hubW+gutter) - gutter/2
	if l.columns == 1 || n == l.columns {
		return min(l.left+n*(l.hubW+gutter)-gutter+6+k*apart, l.width-3)
	}
	return x - gutter/2 + 10 + k*apart + k%2
}

// line draws the line from an NVA to its tunnel.
func (l *layout) line(nva string, x int, b box, s State) {
	at, ok := l.places[nva]
	if !ok {
		return
	}
	side := at.right()
	if x < at.x {
		side = at.x
	}
	y := at.y + 16 + (x%5)*4
	if x > b.x+8 && x < b.right()-8 {
		l.c.edge(s, side, y, x, y, x, b.y)
		return
	}
	end := b.right()
	if x <= b.x+8 {
		end = b.x
	}
	l.c.edge(s, side, y, x, y, x, b.y+20, end, b.y+20)
}
