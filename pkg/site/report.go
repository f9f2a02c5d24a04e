package site

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Report is the comparison of the answers of a site. Its JSON is part of nvactl's
// interface.
type Report struct {
	// NVAs are those of the site, in the order of the file.
	NVAs []Asked `json:"nvas"`
	// Findings are in order of severity, then of the file.
	Findings []Finding `json:"findings"`
	// NotJudged says what of the answers could not be compared, and why.
	NotJudged []string `json:"not_judged"`
}

// Asked is an NVA of a Report.
type Asked struct {
	Name string `json:"name"`
	// Error is why it did not answer; empty if it did.
	Error string `json:"error"`
}

// Severity says how bad a Finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // traffic or routes are lost
	Warning Severity = "warning" // they may be, after the next change or failure
	Info    Severity = "info"    // an operator may want to know; it may well be intended
)

// Finding is one difference between NVAs, with what to do about it. What follows from
// another finding is none.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// NVAs are those that it concerns.
	NVAs []string `json:"nvas"`
	// Object names the thing concerned, such as "tunnel vxlan0"; empty: the NVA itself.
	Object string `json:"object"`
	// Prefixes are the first of those concerned, in ascending order; PrefixCount counts all.
	Prefixes    []netip.Prefix `json:"prefixes"`
	PrefixCount int            `json:"prefix_count"`
	// Reason says in one sentence what differs and what it does.
	Reason string `json:"reason"`
	// Mend says what to do, in this order.
	Mend []string `json:"mend"`
}

// mostListed bounds Finding.Prefixes, and the differences of a configuration that a
// reason lists.
const mostListed = 10

// mostAlike bounds the findings of one code about the same NVAs: one that was taken over
// may answer with ten thousand tunnels, and must not hide what is wrong elsewhere.
const mostAlike = 5

// Worst returns the highest severity of the findings; empty if there are none.
func (r *Report) Worst() Severity {
	if len(r.Findings) == 0 {
		return ""
	}
	return r.Findings[0].Severity
}

// differ collects the findings about a site.
type differ struct {
	nvas      []*nva // that answered
	links     []*link
	findings  []Finding
	alike     map[string]int      // findings by code and NVAs
	owners    map[netip.Addr]*nva // nil: more than one
	notJudged []string
}

func newDiffer(answers []Answer) *differ {
	d := &differ{alike: map[string]int{}, notJudged: []string{}}
	for i := range answers {
		if a := &answers[i]; a.Failure == "" {
			d.nvas = append(d.nvas, newNVA(a))
		}
	}
	return d
}

// Diff compares the answers of the NVAs of a site. An NVA that did not answer is part of
// no finding, except where a drain counts on it.
func Diff(answers []Answer) Report {
	d := newDiffer(answers)
	r := Report{NVAs: []Asked{}}
	for _, a := range answers {
		r.NVAs = append(r.NVAs, Asked{a.Name, a.Failure})
	}
	d.tunnels()
	d.sessions()
	d.identities()
	for _, hub := range d.hubs() {
		d.prefixes(hub)
		d.configs(hub)
		d.drained(hub)
	}
	d.alone(len(d.nvas) < len(answers))
	d.loops()
	slices.SortStableFunc(d.findings, func(a, b Finding) int { return cmp.Compare(rankOf(a.Severity), rankOf(b.Severity)) })
	for _, key := range slices.Sorted(maps.Keys(d.alike)) {
		if more := d.alike[key] - mostAlike; more > 0 {
			d.notJudged = append(d.notJudged, fmt.Sprintf("%d more of %s are left out.", more, key))
		}
	}
	r.Findings, r.NotJudged = append([]Finding{}, d.findings...), d.notJudged
	return r
}

func rankOf(s Severity) int { return slices.Index([]Severity{Error, Warning, Info}, s) }

// find adds a finding without prefixes.
func (d *differ) find(code Code, severity Severity, object string, nvas []*nva, reason string, mend ...string) {
	d.findPrefixes(code, severity, object, nvas, nil, reason, mend...)
}

// findPrefixes adds a finding about prefixes in ascending order.
func (d *differ) findPrefixes(code Code, severity Severity, object string, nvas []*nva, prefixes []netip.Prefix, reason string, mend ...string) {
	key := fmt.Sprintf("%s, %s", code, strings.Join(names(nvas), ", "))
	if d.alike[key]++; d.alike[key] > mostAlike {
		return
	}
	d.findings = append(d.findings, Finding{
		Code: code, Severity: severity, NVAs: names(nvas), Object: object, Reason: reason, Mend: mend,
		Prefixes: append([]netip.Prefix{}, prefixes[:min(len(prefixes), mostListed)]...), PrefixCount: len(prefixes),
	})
}

func names(list []*nva) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.Name
	}
	return out
}

// listed joins words with commas, at most mostListed of them.
func listed(words []string, sep string) string {
	if more := len(words) - mostListed; more > 0 {
		words = append(slices.Clone(words[:mostListed]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, sep)
}
