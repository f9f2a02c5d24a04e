package ctl

import (
	"fmt"
	"slices"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// pathTable is a table of routes as "show ip bgp" prints it.
type pathTable struct {
	*table
	weights  bool   // a column for weights, which only local decisions know
	notes    bool   // the reason below each path
	last     string // prefix of the row before
	prefixes int
	paths    int
	held     int    // of the paths: not advertised, for the reason
	reason   string // of the last one held
	seen     [len(statusCodes)]bool
}

// statusCodes are what may stand before a route, in the order of the legend.
var statusCodes = [...]struct {
	code string
	word string
	is   func(*nvadv1.Path) bool
}{
	{"*", "valid", func(p *nvadv1.Path) bool { return p.GetValid() && !p.GetStale() }},
	{"h", "held back", (*nvadv1.Path).GetHeldBack},
	{"S", "stale", (*nvadv1.Path).GetStale},
	{">", "best", (*nvadv1.Path).GetBest},
	{"=", "multipath", func(p *nvadv1.Path) bool { return p.GetMultipath() && !p.GetBest() }},
	{"i", "internal", (*nvadv1.Path).GetInternal},
}

func (a *app) pathTable(weights bool) *pathTable {
	columns := []column{
		{head: "    Network", max: 26, min: 22},
		{head: "Next hop", max: 20, min: 15},
		{head: "MED", right: true},
		{head: "LocPrf", right: true},
		{head: "Weight", right: true},
		{head: "AS path", fit: wrapped},
	}
	if !weights {
		columns = append(columns[:4], columns[5])
	}
	return &pathTable{table: newTable(a.Out, a.Width, columns...), weights: weights}
}

func (t *pathTable) add(p *nvadv1.Path) {
	network := p.GetPrefix()
	if network == t.last {
		network = ""
	} else {
		t.prefixes++
	}
	t.last = p.GetPrefix()
	t.paths++
	if p.GetHeldBack() {
		t.held, t.reason = t.held+1, p.GetReason()
	}
	at := p.GetAttributes()
	cells := []string{t.codes(p) + network, at.GetNextHop(), maybe(at.Med), maybe(at.LocalPref)}
	if t.weights {
		cells = append(cells, decimal(p.GetWeight()))
	}
	var notes []string
	if t.notes {
		notes = append(notes, p.GetReason())
	}
	if c := communityNote(at); c != "" {
		notes = append(notes, c)
	}
	t.rowWithNote(strings.Join(notes, "; "), append(cells, pathCell(at))...)
}

// maxNoted is how many communities a table shows of a path.
const maxNoted = 8

// communityNote names the communities of a path. Extended ones are left out: nvad
// itself marks every route between NVAs with one.
func communityNote(at *nvadv1.Attributes) string {
	list := slices.Concat(at.GetCommunities(), at.GetLargeCommunities())
	if len(list) == 0 {
		return ""
	}
	more := ""
	if n := len(list) - maxNoted; n > 0 {
		list, more = list[:maxNoted], fmt.Sprintf(" and %d more", n)
	}
	return "communities " + strings.Join(list, " ") + more
}

// codes are the status codes, valid, best and internal each in a place of its
// own.
func (t *pathTable) codes(p *nvadv1.Path) string {
	slots := [...]int{0, 0, 0, 1, 1, 2}
	out := []byte("    ")
	for i, c := range statusCodes {
		if c.is(p) {
			out[slots[i]] = c.code[0]
			t.seen[i] = true
		}
	}
	return string(out)
}

// finish prints the legend of the codes that were used, and the totals.
func (t *pathTable) finish() error {
	if err := t.end(); err != nil {
		return err
	}
	var legend []string
	for i, c := range statusCodes {
		if t.seen[i] {
			legend = append(legend, c.code+" "+c.word)
		}
	}
	totals := count(t.prefixes-t.held, "prefix")
	if t.paths != t.prefixes {
		totals += ", " + count(t.paths, "path")
	}
	if t.held > 0 {
		totals += fmt.Sprintf(" advertised, %d %s", t.held, t.reason)
	}
	if len(legend) > 0 {
		totals = strings.Join(legend, ", ") + "\n" + totals
	}
	return line(t.out, "\n"+totals)
}

// maxASNs is how much of an AS path a table shows.
const maxASNs = 24

// pathCell is the AS path and the letter of the origin. From the middle of a
// very long path ASNs are left out, which is marked.
func pathCell(at *nvadv1.Attributes) string {
	asns := strings.Fields(at.GetAsPath())
	if n := len(asns); n > maxASNs {
		mark := fmt.Sprintf("...%d-more...", n-maxASNs)
		asns = append(append(asns[:maxASNs-4:maxASNs-4], mark), asns[n-4:]...)
	}
	origin, ok := map[string]string{"igp": "i", "egp": "e"}[at.GetOrigin()]
	if !ok {
		origin = "?"
	}
	return strings.Join(append(asns, origin), " ")
}

func maybe(n *uint32) string {
	if n == nil {
		return ""
	}
	return decimal(*n)
}
