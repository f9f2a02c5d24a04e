package config

import (
	"fmt"
	"strings"
)

// ReferencePage is [Reference] as a page to read: for every key its kind, its
// default and what changing it costs. It is docs/reference.md.
func ReferencePage() []byte {
	var b strings.Builder
	b.WriteString(pageIntroduction)
	for _, tables := range [][]tableDoc{singleTables(), forwardingTables(), routingTables()} {
		for _, t := range tables {
			pageTable(&b, t)
		}
	}
	bfd := DefaultBFD()
	pageTable(&b, tableDoc{title: "`bfd`", doc: "Keys of bfd, of a neighbor and of a tunnel. `true` is these defaults.", keys: keyDocs(&bfd, bfdFields)})
	b.WriteString(pageLists)
	pagePolicy(&b, clauseTable())
	for _, t := range policyTables() {
		pagePolicy(&b, t)
	}
	return []byte(b.String())
}

const pageIntroduction = `# Every key of nvad.toml

Written by ` + "`make docs`" + ` from what the daemon itself reads, prints and compares. The same as one file that can be loaded:
[configs/reference.toml](../configs/reference.toml). How the keys work together: [the policy language](policy.md).

Each key is followed by what it holds, its default, and what a reload that changes it costs:

| cost | what happens |
|---|---|
| live | nothing else notices |
| soft refresh | routes of the neighbors concerned are evaluated again; only what comes out differently is sent |
| session reset | the BGP session ends and comes back |
| device recreated | the tunnel is deleted and made anew |
| restart | takes effect when nvad is restarted; until then the old value counts |

` + "`nvactl config diff FILE` and `nvactl reload --dry-run`" + ` tell the cost of each change before it is made. Seconds are a number or a duration
(` + "`90` or `\"90s\"`" + `). Names of lists, route-maps and peer-groups have up to 128 characters and no spaces.
`

const pageLists = `
## Lists

The first rule that matches decides; no match denies. A rule may begin with ` + "`seq N`" + `; others are numbered 5, 10, 15... Each list is a
key of the table of its kind. A change costs a soft refresh of the neighbors whose policy uses the list, and is live where none does.

| table | a rule |
|---|---|
| ` + "`[prefix-list]`" + ` | permit or deny, PREFIX or any, then ge LENGTH and le LENGTH if need be |
| ` + "`[as-path-list]`" + ` | permit or deny REGEXP, in which ` + "`_`" + ` is any border of an ASN |
| ` + "`[community-list]`" + ` | permit or deny COMMUNITY..., all of which the route has; or ` + "`regexp REGEXP`" + ` |
| ` + "`[large-community-list]`" + ` | the same of large communities |
| ` + "`[ext-community-list]`" + ` | the same of route targets (` + "`rt 65001:1`" + `) and sites of origin (` + "`soo 65001:7`" + `) |

` + "```toml" + `
[prefix-list]
rs-hub00 = ["deny 10.0.0.0/16", "permit 10.64.0.0/10 ge 16 le 24", "permit any"]

[as-path-list]
azure-asns = ["permit _65515_"]
` + "```" + `
`

// pageTable writes a table with the cost of each key.
func pageTable(b *strings.Builder, t tableDoc) {
	pageHeader(b, t)
	if t.each != "" {
		b.WriteString("\n" + t.each + "\n")
	}
	for _, k := range t.keys {
		pageKey(b, k, " · "+k.impact.String())
	}
}

// pagePolicy writes a table of a policy, whose changes all cost the same.
func pagePolicy(b *strings.Builder, t tableDoc) {
	pageHeader(b, t)
	b.WriteString("\nA change costs a soft refresh of the neighbors whose policy uses it.\n")
	for _, k := range t.keys {
		pageKey(b, k, "")
	}
}

func pageHeader(b *strings.Builder, t tableDoc) {
	title := t.title
	if title == "" {
		title = "`" + t.header + "`"
	}
	fmt.Fprintf(b, "\n## %s\n", title)
	if t.doc != "" {
		b.WriteString("\n" + t.doc + "\n")
	}
}

// pageKey writes the line of a key, and what it means below.
func pageKey(b *strings.Builder, k keyDoc, cost string) {
	state := "optional"
	switch {
	case k.required:
		state = "**required**"
	case k.base != "":
		state = "default `" + k.base + "`"
	case strings.Contains(k.doc, "Default:"):
		state = "default below"
	case strings.Contains(k.doc, "Required"):
		state = "see below"
	}
	fmt.Fprintf(b, "\n- **`%s`** · %s · %s%s\\\n  %s", k.key, k.kind, state, cost, k.doc)
	if k.example != "" && !strings.Contains(k.doc, k.example) {
		fmt.Fprintf(b, " Example: `%s = %s`", k.key, k.example)
	}
	b.WriteString("\n")
}
