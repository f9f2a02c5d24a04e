package config

import (
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// Reference returns a configuration file that explains every key, each with its
// default or an example. It is configs/reference.toml.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceStart)
	for _, t := range describeTables() {
		t.WriteFile(&b)
	}
	b.WriteString(referenceLists)
	describeClause().WriteFile(&b)
	for _, t := range describePolicies() {
		t.WriteComment(&b)
	}
	b.WriteString(referenceEnd)
	return []byte(b.String())
}

// ReferencePage returns the same as a page to read, docs/reference.md: for every key
// its kind, its default, and what a reload that changes it costs.
func ReferencePage() []byte {
	var b strings.Builder
	b.WriteString(pageStart)
	for _, t := range describeTables() {
		t.WritePage(&b, "")
	}
	bfd := DefaultBFD()
	tomlfile.TableDoc{Title: "`bfd`", Doc: "Keys of bfd, of a neighbor and of a tunnel. `true` is these defaults.",
		Keys: tomlfile.Describe(&bfd, bfdFields)}.WritePage(&b, "")
	b.WriteString(pageLists)
	for _, t := range append([]tomlfile.TableDoc{describeClause()}, describePolicies()...) {
		t.WritePage(&b, "A change costs a soft refresh of the neighbors whose policy uses it.")
	}
	return []byte(b.String())
}

// describeTables returns all tables but those of policies.
func describeTables() []tomlfile.TableDoc {
	base := Default()
	var out []tomlfile.TableDoc
	for _, t := range tables {
		out = append(out, t.Describe(base))
	}
	settings := DefaultSettings()
	return append(out,
		tomlfile.TableDoc{Header: "[peer-group.route-server]", Title: "`[peer-group.NAME]` and `[[neighbor]]`",
			Doc:  "Peer-groups: settings that neighbors share. A neighbor may have any of these keys itself.",
			Keys: tomlfile.Describe(&settings, settingsFields)},
		tomlfile.TableDoc{Title: "`[peer-group.NAME]` alone", Doc: "Keys that a peer-group alone has:", Keys: tomlfile.Describe(&Group{}, groupFields)},
		tomlfile.TableDoc{Header: "[[neighbor]]", Title: "`[[neighbor]]` alone", Doc: "BGP neighbors; one table each.",
			Each: tomlfile.Each(SessionReset), Keys: tomlfile.Describe(&Neighbor{}, neighborFields)})
}

func describeClause() tomlfile.TableDoc {
	return tomlfile.TableDoc{Header: "[[route-map.to-azure]]", Title: "`[[route-map.NAME]]`",
		Doc:  "Route-maps: one table a clause. The first clause that matches decides; no match denies.",
		Keys: tomlfile.Describe(&policy.Clause{}, clauseFields)}
}

// describePolicies returns the inline tables of policies.
func describePolicies() []tomlfile.TableDoc {
	return []tomlfile.TableDoc{
		{Title: "`import` and `export`", Doc: "Keys of import and export, all of which must pass, in this order:",
			Keys: tomlfile.Describe(&policy.Chain{}, chainFields)},
		{Title: "`match`", Doc: "Keys of match:", Keys: tomlfile.Describe(&policy.Match{}, matchFields)},
		{Title: "`set`", Doc: "Keys of set:", Keys: tomlfile.Describe(&policy.Set{}, setFields)},
	}
}

const referenceStart = `# Every key of nvad.toml.
#
# A key behind "#" shows its default, or an example where its description names
# a default or none is needed. ` + "`nvad check FILE`" + ` reports every error of a
# file at once, with its line.
`

const referenceLists = `
# Lists. The first rule that matches decides; no match denies. A rule may begin
# with "seq N"; others are numbered 5, 10, 15...

# [seq N] permit|deny PREFIX|any [ge LENGTH] [le LENGTH]
[prefix-list]
rs-hub00 = ["deny 10.0.0.0/16", "deny 10.100.0.0/16", "permit any"]
gateways = ["permit 10.0.0.0/24 ge 32"]

# [seq N] permit|deny REGEXP, in which "_" is any separator
[as-path-list]
azure-asns = ["permit _65515_"]

# [seq N] permit|deny COMMUNITY..., all of which the route has; or regexp REGEXP
[community-list]
spokes = ["permit 65001:100", "permit regexp ^65517:"]

[large-community-list]
sites = ["permit 65001:1:1"]

[ext-community-list]
targets = ["permit rt 65001:1"]
`

const referenceEnd = `
# What the names above mention.

[[neighbor]]
address = "10.0.210.5"
peer-group = "route-server"

[peer-group.nva]
remote-asn = 65001
next-hop-self = true
import = { route-map = "known" }
export = "accept"

[[neighbor]]
address = "169.254.0.2"
peer-group = "nva"

[[route-map.tag-own]]
action = "permit"
set = { communities-add = ["65001:1"] }

[[route-map.known]]
action = "deny"
match = { large-community-list = "sites", ext-community-list = "targets", next-hop-prefix-list = "gateways" }

[[route-map.known]]
action = "permit"
match = { community-list = "spokes" }
`

const pageStart = `# Every key of nvad.toml

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
