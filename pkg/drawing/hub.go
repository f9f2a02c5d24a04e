package drawing

// worst returns the state that a line to several parts has.
func worst(list []Part) State {
	s := Plain
	for _, p := range list {
		switch {
		case p.State == Down:
			return Down
		case p.State != Plain && (s == Plain || s == Up):
			s = p.State
		}
	}
	return s
}

// hub draws a hub within b and returns where its content ends. It notes where the NVAs are.
func (c *canvas) hub(h *Hub, b box, places map[string]box) int {
	x, w, y := b.x+pad, b.w-2*pad, b.y+pad
	if h.Title != "" {
		c.caption("hubtitle", x, y+11, cut(h.Title, w, titleChar))
		y += 22
	}
	if len(h.Behind) > 0 {
		y = c.behind(h.Behind, box{x, y, w, 0})
		if len(h.Groups) > 0 {
			c.edge(Plain, b.middle(), y, b.middle(), y+stem)
			y += stem
		}
	}
	for i := range h.Groups {
		if i > 0 {
			y += gap
		}
		y = c.group(&h.Groups[i], box{x, y, w, 0})
	}
	for i := range h.NVAs {
		switch {
		case i == 0 && len(h.Groups) > 0:
			c.edge(sessions(h), b.middle(), y, b.middle(), y+stem)
			y += stem
		case i > 0:
			y += gap
		}
		n := &h.NVAs[i]
		places[n.Name] = box{x, y, w, nvaHeight(n)}
		c.nva(n, places[n.Name])
		y += nvaHeight(n)
	}
	return y + pad
}

// sessions returns the state of all sessions between the groups and the NVAs of a hub.
func sessions(h *Hub) State {
	var all []Part
	for _, g := range h.Groups {
		all = append(all, g.Rows...)
	}
	return worst(all)
}

// behind draws what is behind Route Server, in two columns if there is room.
func (c *canvas) behind(list []Part, b box) int {
	columns := 1
	if b.w >= 2*200 && len(list) > 1 {
		columns = 2
	}
	w := (b.w - (columns-1)*gap) / columns
	y := b.y
	for i := range list {
		if i > 0 && i%columns == 0 {
			y += headHeight + gap
		}
		c.begin(&list[i])
		c.head(&list[i], box{b.x + i%columns*(w+gap), y, w, headHeight})
		c.end()
	}
	return y + headHeight
}

func (c *canvas) group(g *Group, b box) int {
	b.h = headHeight + rowsHeight(len(g.Rows)) + 6
	c.begin(&Part{Title: g.Title, Detail: g.Detail})
	c.head(&Part{Title: g.Title, Detail: g.Detail}, b)
	c.end()
	c.rows(g.Rows, box{b.x, b.y + headHeight, b.w, 0})
	return b.bottom()
}

func nvaHeight(n *NVA) int {
	return headHeight + len(n.Lines)*lineHeight + rowsHeight(len(n.Rows)) + 6
}

func (c *canvas) nva(n *NVA, b box) {
	c.begin(&n.Part)
	c.head(&n.Part, b)
	y := b.y + headHeight
	for _, l := range n.Lines {
		c.text("detail", b.x+gap, y+8, cut(l, b.w-2*gap, detailChar))
		y += lineHeight
	}
	c.end()
	c.rows(n.Rows, box{b.x, y, b.w, 0})
}
