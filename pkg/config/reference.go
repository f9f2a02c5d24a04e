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
// its kind, its default, and the impact of a reload that changes it.
func ReferencePage() []byte {
	var b strings.Builder
	b.WriteString(pageStart)
	for _, t := range describeTables() {
		t.WritePage(&b, "")
	}
	bfd := DefaultBFD()
	tomlfile.TableDoc{Title: "`bfd`", Doc: "Keys of bfd, for neighbors and tunnels. `bfd = true` uses their defaults.",
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
	return append(out,
		tomlfile.TableDoc{Header: "[peer-group.route-server]", Title: "`[peer-group.NAME]` and `[[neighbor]]`",
			Doc:  "Peer-groups: settings that neighbors share. A neighbor may also set each of these keys, which then takes precedence.",
			Keys: describeSettings()},
		tomlfile.TableDoc{Title: "`[peer-group.NAME]` only", Doc: "Keys that only a peer-group has:", Keys: tomlfile.Describe(&Group{}, groupFields)},
		tomlfile.TableDoc{Header: "[[neighbor]]", Title: "`[[neighbor]]` only", Doc: "BGP neighbors, one table each.",
			Each: tomlfile.Each(SessionReset), Keys: tomlfile.Describe(&Neighbor{}, neighborFields)})
}

func describeSettings() (out []tomlfile.KeyDoc) {
	settings := DefaultSettings()
	for _, topic := range settingsTopics {
		keys := tomlfile.Describe(&settings, topic.fields)
		keys[0].Heading = topic.title
		out = append(out, keys...)
	}
	return out
}

func describeClause() tomlfile.TableDoc {
	return tomlfile.TableDoc{Header: "[[route-map.to-azure]]", Title: "`[[route-map.NAME]]`",
		Doc:  "Route-maps, one table per clause. The first clause that matches decides; a route that none matches is denied.",
		Keys: tomlfile.Describe(&policy.Clause{}, clauseFields)}
}

// describePolicies returns the inline tables of policies.
func describePolicies() []tomlfile.TableDoc {
	return []tomlfile.TableDoc{
		{Title: "`import` and `export`", Doc: "Keys of import and export. A route must pass all of them, in this order:",
			Keys: tomlfile.Describe(&policy.Chain{}, chainFields)},
		{Title: "`match`", Doc: "Keys of match:", Keys: tomlfile.Describe(&policy.Match{}, matchFields)},
		{Title: "`set`", Doc: "Keys of set:", Keys: tomlfile.Describe(&policy.Set{}, setFields)},
	}
}

const referenceStart = `# Every key of nvad.toml.
#
# A key after "#" is commented out. Its value is the default; or an example, if there is
# no default or if the description names it. ` + "`nvad check FILE`" + ` reports all errors
# of a file together, with their lines.
`

const referenceLists = `
# Lists. The first rule that matches decides; what no rule matches is denied. A rule
# may begin with "seq N"; the others are numbered 5, 10, 15...

# [seq N] permit|deny PREFIX|any [ge LENGTH] [le LENGTH]
[prefix-list]
rs-hub00 = ["deny 10.0.0.0/16", "deny 10.100.0.0/16", "permit any"]
gateways = ["permit 10.0.0.0/24 ge 32"]

# [seq N] permit|deny REGEXP, in which "_" matches any border of an ASN
[as-path-list]
azure-asns = ["permit _65515_"]

# [seq N] permit|deny COMMUNITY... (the route has all of them), or regexp REGEXP
[community-list]
spokes = ["permit 65001:100", "permit regexp ^65517:"]

[large-community-list]
sites = ["permit 65001:1:1"]

[ext-community-list]
targets = ["permit rt 65001:1"]
`

const referenceEnd = `
# The objects to which the keys above refer.

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

This page lists every key, table by table. [configs/reference.toml](../configs/reference.toml) has the same as a file that
nvad can load, and [the policy language](policy.md) explains how lists and route-maps work together. ` + "`make docs`" + ` writes both
from the declarations that nvad itself uses.

After each key come its type, its default, and the impact of a reload that changes it:

| impact | what happens |
|---|---|
| live | nothing else is affected |
| soft refresh | the routes of the affected neighbors are evaluated again; nvad sends only those whose result differs |
| session reset | the BGP session is closed and opened again |
| device recreated | the tunnel device is deleted and created again |
| restart | a reload with this change is refused; ` + "`" + `systemctl restart nvad` + "`" + ` applies it |

` + "`nvactl config diff FILE` and `nvactl reload --dry-run`" + ` show the impact of each change before you make it. Seconds are written as a number or
as a duration (` + "`90` or `\"90s\"`" + `). Names of lists, route-maps and peer-groups have up to 128 characters and no spaces.

| you want to set | look at |
|---|---|
| this NVA's ASN and router ID | [above the first table](#above-the-first-table) |
| neighbors and peer-groups | [session](#session), [loops, paths and next hops](#loops-paths-and-next-hops), [graceful restart](#graceful-restart), [default route](#default-route), [limits on routes](#limits-on-routes), [policy and role](#policy-and-role), [keys of a peer-group only](#peer-groupname-only), [of a neighbor only](#neighbor-only), [` + "`bfd`" + `](#bfd) |
| policy | [` + "`import` and `export`" + `](#import-and-export), [lists](#lists), [route-maps](#route-mapname) with [` + "`match`" + `](#match) and [` + "`set`" + `](#set) |
| routes that nvad originates | [` + "`network`" + `](#network), [` + "`aggregate`" + `](#aggregate), [` + "`redistribute`" + `](#redistribute) |
| tunnels, static routes, probes of several NICs | [` + "`tunnel`" + `](#tunnel), [` + "`static-route`" + `](#static-route), [` + "`nic`" + `](#nic) |
| NAT | [` + "`masquerade`" + `](#masquerade), [` + "`snat`" + `](#snat), [` + "`dnat`" + `](#dnat) |
| the kernel, memory, the process, its log | [` + "`kernel`" + `](#kernel), [` + "`limits`" + `](#limits), [` + "`daemon`" + `](#daemon) |
| health, drain, Azure's maintenance | [` + "`health`" + `](#health), [` + "`drain`" + `](#drain), [` + "`azure`" + `](#azure) |
| metrics, the API over TCP | [` + "`metrics`" + `](#metrics), [` + "`api`" + `](#api) |
`

const pageLists = `
## Lists

The first rule that matches decides; what no rule matches is denied. A rule may begin with ` + "`seq N`" + `; the others are numbered 5,
10, 15... Each list is a key in the table of its kind. A change costs a soft refresh of the neighbors whose policy uses the list; if
none does, it is live.

| table | a rule |
|---|---|
| ` + "`[prefix-list]`" + ` | permit or deny, then PREFIX or any, optionally with ge LENGTH and le LENGTH |
| ` + "`[as-path-list]`" + ` | permit or deny REGEXP, in which ` + "`_`" + ` matches any border of an ASN |
| ` + "`[community-list]`" + ` | permit or deny COMMUNITY... (the route has all of them), or ` + "`regexp REGEXP`" + ` |
| ` + "`[large-community-list]`" + ` | the same, with large communities |
| ` + "`[ext-community-list]`" + ` | the same, with route targets (` + "`rt 65001:1`" + `) and sites of origin (` + "`soo 65001:7`" + `) |

` + "```toml" + `
[prefix-list]
rs-hub00 = ["deny 10.0.0.0/16", "permit 10.64.0.0/10 ge 16 le 24", "permit any"]

[as-path-list]
azure-asns = ["permit _65515_"]
` + "```" + `
`
