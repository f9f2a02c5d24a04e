package policy

import "github.com/nvad/nvad/pkg/route"

// verdict is what a list said of a route: the index of the rule that matched
// (one past the last for the implicit deny), whether it permits, and for a set
// of ASNs the one that hit. Zero means that the list was not asked yet.
type verdict uint64

func listVerdict(index int, permit bool) verdict {
	v := verdict(index+1) << 1
	if permit {
		v |= 1
	}
	return v
}

func (v verdict) withASN(asn uint32) verdict { return v | verdict(asn)<<32 }
func (v verdict) permit() bool               { return v&1 != 0 }
func (v verdict) index() int                 { return int(uint32(v)>>1) - 1 }
func (v verdict) asn() uint32                { return uint32(v >> 32) }

// ruleSource can name its own rules. Index len(rules) is the implicit deny.
type ruleSource interface {
	// ruleText is the rule with the object it belongs to.
	ruleText(index int, asn uint32) string
}

// attrList is a list that looks at path attributes only, so that its verdict
// holds for every route with the same set of them.
type attrList interface {
	// decide asks the list. buf is scratch space for a text form.
	decide(a *route.Attrs, buf *[]byte) verdict
	// label is the kind and name of the list.
	label() string
	// written is the rule alone, as the user wrote it.
	written(index int) string
	// looked is the text of what decide looks at.
	looked(a *route.Attrs) string
}
