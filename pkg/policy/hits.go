package policy

import "slices"

// RuleHits is how often a rule decided.
type RuleHits struct {
	Rule string // as RuleText names it
	Hits uint64
}

// hit counts a decision of rule r. What is only told, not done, is not counted. It is
// one addition for each rule that decides, whether its list was asked or its verdict
// remembered.
func (e *eval) hit(r Rule) {
	if e.trace == nil {
		e.p.hits[uint32(r)]++
	}
}

// Counts returns a copy of the counts, for Hits.
func (p *Program) Counts() []uint64 { return slices.Clone(p.hits) }

// Hits names the rules of the Program with counts, which are its own, in the order in
// which they were compiled: those of a list behind each other, the last of them being
// what happens to a route that none of them matches. A list that a policy uses in
// several places is there once. It may be called while another goroutine runs the
// Program.
func (p *Program) Hits(counts []uint64) []RuleHits {
	var out []RuleHits
	at := map[string]int{}
	for i, r := range p.names {
		end := len(counts)
		if i+1 < len(p.names) {
			end = int(p.names[i+1].base)
		}
		for n := int(r.base); n < end; n++ {
			text := r.src.ruleText(n-int(r.base), 0)
			if l, ok := r.src.(bogonList); ok {
				text = l.part(n - int(r.base))
			}
			if _, chain := r.src.(chainRules); text == "" || chain && counts[n] == 0 {
				continue
			}
			if k, ok := at[text]; ok {
				out[k].Hits += counts[n]
				continue
			}
			at[text] = len(out)
			out = append(out, RuleHits{text, counts[n]})
		}
	}
	return out
}

// part names rule i of the list without an ASN; empty: it is not used.
func (l bogonList) part(i int) string {
	set := []Bogons{Reserved, Private}[i]
	if Bogons(l)&set == 0 {
		return ""
	}
	return "deny-asns " + set.String()
}
