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

// Marks around the keys in docs/reference.md.
const (
	keysBegin = "<!-- make docs writes the keys from here -->\n"
	keysEnd   = "\n<!-- to here -->\n"
)

// ReferencePage returns docs/reference.md with the keys written anew: for every key its
// kind, its default, and the impact of a reload that changes it. What is before and
// after the keys stays. A page without the marks around them is returned as it is.
func ReferencePage(page []byte) []byte {
	head, rest, _ := strings.Cut(string(page), keysBegin)
	_, tail, ok := strings.Cut(rest, keysEnd)
	if !ok {
		return page
	}
	var b strings.Builder
	b.WriteString(head + keysBegin)
	for _, t := range describeTables() {
		t.WritePage(&b, "")
	}
	bfd := DefaultBFD()
	tomlfile.TableDoc{Title: "`bfd`", Doc: "Keys of bfd, for neighbors and tunnels. `bfd = true` uses their defaults.",
		Keys: tomlfile.Describe(&bfd, bfdFields)}.WritePage(&b, "")
	for _, t := range append([]tomlfile.TableDoc{describeClause()}, describePolicies()...) {
		t.WritePage(&b, "A change costs a soft refresh of the neighbors whose policy uses it.")
	}
	b.WriteString(keysEnd + tail)
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
