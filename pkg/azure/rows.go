package azure

import (
	"net/netip"
	"slices"
)

// rows makes the rows of one Route Server, and collects the findings about its prefixes.
func (d *differ) rows(sv *server) []Row {
	total := len(sv.instances) * len(sv.prefixes)
	rows := make([]Row, 0, total)
	cells := make([]Cell, total*len(d.nics)) // one allocation for all rows
	for _, in := range sv.instances {
		for _, p := range sv.prefixes {
			row := Row{Instance: in.addr, Prefix: p, NICs: cells[:len(d.nics):len(d.nics)], Codes: []Code{}, InOrder: true}
			cells = cells[len(d.nics):]
			if sv.rs != nil {
				row.RouteServer = sv.rs.ID
			}
			d.fill(sv, in, &row)
			d.explain(sv, in, &row)
			rows = append(rows, row)
		}
	}
	return rows
}

// fill fills the cells.
func (d *differ) fill(sv *server, in *instance, row *Row) {
	route := in.sent[row.Prefix]
	row.Sent.State, row.Back.State = yesNo(route != nil), yesNo(in.received[row.Prefix] != nil)
	learned := in.learned[row.Prefix]
	switch {
	case !in.learnedSeen:
		row.Learned.State = NotSeen
	case learned != nil && route != nil && route.NextHop.IsValid() && learned.NextHop.IsValid() && learned.NextHop != route.NextHop:
		row.Learned = Cell{Other, learned.NextHop.String()}
	default:
		row.Learned.State = yesNo(learned != nil)
	}
	sent := d.announced(sv, row.Prefix)
	for i, v := range d.nics {
		row.NICs[i] = d.cell(v, row.Prefix, sent)
	}
}

func yesNo(yes bool) State {
	if yes {
		return Yes
	}
	return No
}

// announced returns the route for p that nvad sent to any instance.
func (d *differ) announced(sv *server, p netip.Prefix) *SelfRoute {
	for _, in := range sv.instances {
		if r := in.sent[p]; r != nil {
			return r
		}
	}
	return nil
}

// cell says where a NIC's packets for a prefix go. A route of nvad's is there if they arrive
// at the NVA, be it by a route for a shorter prefix; a route that is not nvad's, if there
// is one for the prefix.
func (d *differ) cell(v *nicView, p netip.Prefix, sent *SelfRoute) Cell {
	if !v.seen {
		return Cell{State: NotSeen}
	}
	covering, h := v.lookup(p)
	exact := h != nil && covering == p
	switch {
	case sent == nil && exact:
		return Cell{Yes, h.String()}
	case sent == nil:
		return Cell{State: No}
	case d.here(h, sent.NextHop) && exact:
		return Cell{State: Yes}
	case d.here(h, sent.NextHop):
		return Cell{Yes, covering.String()}
	case exact:
		return Cell{Other, h.String()}
	}
	return Cell{State: No}
}

// explain says why a row is not as nvad wants it. What goes wrong first explains the rest.
func (d *differ) explain(sv *server, in *instance, row *Row) {
	route := in.sent[row.Prefix]
	if route == nil {
		d.explainUnsent(sv, in, row)
	} else if f := d.refusedPrefix(sv, route); f != nil {
		row.note(f)
	} else {
		d.explainSent(sv, in, row, route)
	}
}

// note adds a finding to a row, and the row's prefix to the finding.
func (r *Row) note(f *finding) {
	f.prefixes[r.Prefix] = true
	f.instances[r.Instance] = true
	r.InOrder = r.InOrder && f.severity == Info
	if !slices.Contains(r.Codes, f.code) {
		r.Codes = append(r.Codes, f.code)
	}
}

func (d *differ) explainUnsent(sv *server, in *instance, row *Row) {
	switch {
	case sv.sentAny[row.Prefix] && in.cause != nil:
		row.note(in.cause)
	case sv.sentAny[row.Prefix] && in.up() && d.young(in, d.announced(sv, row.Prefix)):
		row.Note = tooYoung
	case sv.sentAny[row.Prefix] && in.up():
		row.note(d.unequal(sv))
	case row.Learned.State == Yes:
		row.Note = "nvad does not send it; if it did before, Azure may take a minute to remove it"
	}
}

func (d *differ) explainSent(sv *server, in *instance, row *Row, route *SelfRoute) {
	missing := row.Learned.State == No
	if missing {
		switch {
		case in.cause != nil:
			row.note(in.cause)
		case d.young(in, route):
			row.Note = tooYoung
		case sv.vnet == nil:
			row.Note = "not judged, because Route Server's VNet could not be read"
		default:
			row.note(d.notLearned(sv))
		}
	}
	if row.Learned.State == Other {
		row.Note = "the instance has it with an earlier next hop; Azure may take a minute to replace it"
	}
	if d.differs(sv, in, route) {
		row.note(d.unequal(sv))
	}
	for i, v := range d.nics {
		if row.NICs[i].State != Yes {
			d.explainNIC(sv, in, row, route, v)
		}
	}
}

// differs reports whether nvad sends another instance, whose session is up, something else.
func (d *differ) differs(sv *server, in *instance, route *SelfRoute) bool {
	for _, other := range sv.instances {
		if other == in || !other.up() || !in.up() || d.young(in, route) {
			continue
		}
		if r := other.sent[route.Prefix.Masked()]; r != nil && (r.NextHop != route.NextHop || !slices.Equal(r.ASPath, route.ASPath)) {
			return true
		}
	}
	return false
}

// explainNIC says why a NIC does not send what is for the prefix to the NVA.
func (d *differ) explainNIC(sv *server, in *instance, row *Row, route *SelfRoute, v *nicView) {
	f, note := d.nicCause(sv, in, row, route, v)
	if f != nil {
		row.note(f)
	}
	if row.Note == "" {
		row.Note = note
	}
}
