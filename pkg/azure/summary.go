package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// Summary returns what nvad keeps of r: the prefixes that nvad sent or that something is
// wrong with, those with findings first. A Report for it lists [MaxPolled] prefixes of
// each finding.
func (r *Report) Summary() Poll {
	p := Poll{Taken: r.Taken, NotRead: len(r.NotJudged)}
	for i := range r.Findings {
		if r.Findings[i].Severity != Info {
			p.Findings++
		}
	}
	own := slices.IndexFunc(r.NICs, func(c Column) bool { return c.Own })
	var order []netip.Prefix
	each := map[netip.Prefix]*Fate{}
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Sent.State != Yes && row.Learned.State != Yes && len(row.Codes) == 0 {
			continue
		}
		f := each[row.Prefix]
		if f == nil {
			f = &Fate{Prefixes: []netip.Prefix{row.Prefix}}
			each[row.Prefix] = f
			order = append(order, row.Prefix)
		}
		f.add(r, row, own)
	}
	byText := map[string]int{}
	for _, prefix := range order {
		f := each[prefix]
		key := fmt.Sprint(f.Learned, f.Unlearned, f.Effective, f.Findings)
		if i, ok := byText[key]; ok {
			p.Fates[i].Prefixes = append(p.Fates[i].Prefixes, prefix)
			continue
		}
		byText[key] = len(p.Fates)
		p.Fates = append(p.Fates, *f)
	}
	slices.SortStableFunc(p.Fates, func(a, b Fate) int { return min(len(b.Findings), 1) - min(len(a.Findings), 1) })
	p.bound()
	return p
}

// add adds what one instance, and the NVA's first NIC, do with the prefix of f.
func (f *Fate) add(r *Report, row *Row, own int) {
	switch {
	case row.Learned.State == Yes:
		f.Learned = append(f.Learned, row.Instance)
	case row.Sent.State == Yes && (row.Learned.State == No || row.Learned.State == Other):
		f.Unlearned = append(f.Unlearned, row.Instance)
	}
	if own >= 0 && own < len(row.NICs) && f.Effective == "" {
		f.Effective = row.NICs[own].words()
	}
	for i := range r.Findings {
		found := &r.Findings[i]
		if !found.explains(row) {
			continue
		}
		c := Cause{Code: string(found.Code), Reason: cut(found.Reason, MaxPollText-len(found.Code))}
		if !slices.Contains(f.Findings, c) {
			f.Findings = append(f.Findings, c)
		}
	}
}

// words says what the effective routes of a NIC do with a prefix.
func (c Cell) words() string {
	switch c.State {
	case Yes:
		return "its effective routes lead where nvad said"
	case No:
		return "its effective routes have no route for just this prefix"
	case Other:
		return cut("its effective routes lead elsewhere: "+c.Via, MaxPollText)
	}
	return ""
}

// explains reports whether f is one of the reasons for row's codes.
func (f *Finding) explains(row *Row) bool {
	return slices.Contains(row.Codes, f.Code) &&
		(len(f.Instances) == 0 || slices.Contains(f.Instances, row.Instance)) &&
		(f.PrefixCount > len(f.Prefixes) || f.PrefixCount == 0 || slices.Contains(f.Prefixes, row.Prefix))
}

// bound keeps p within what nvad accepts. The last prefixes are left out.
func (p *Poll) bound() {
	room := MaxPolled
	for i := range p.Fates {
		f := &p.Fates[i]
		f.Learned, f.Unlearned, f.Findings = first(f.Learned), first(f.Unlearned), first(f.Findings)
		p.LeftOut += max(len(f.Prefixes)-room, 0)
		f.Prefixes = f.Prefixes[:min(room, len(f.Prefixes))]
		room -= len(f.Prefixes)
	}
	p.Fates = slices.DeleteFunc(p.Fates, func(f Fate) bool { return len(f.Prefixes) == 0 })
}

func first[T any](list []T) []T { return list[:min(len(list), MaxPollTexts)] }

// cut shortens s to n octets, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n-len("…")]
	for !utf8.ValidString(s) && s != "" {
		s = s[:len(s)-1]
	}
	return strings.TrimRight(s, " ") + "…"
}
