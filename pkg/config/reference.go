package config

import (
	"fmt"
	"strings"
)

// Reference is a configuration file that explains every key there is, with its
// default or an example. It is configs/reference.toml.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(`# Every key of nvad.toml.
#
# A key behind "#" shows its default, or an example where its description names
# a default or none is needed. ` + "`nvad check FILE`" + ` reports every error of a
# file at once, with its line.
`)
	for _, tables := range [][]tableDoc{singleTables(), forwardingTables(), routingTables()} {
		for _, t := range tables {
			referTo(&b, t)
		}
	}
	b.WriteString(referenceLists)
	referTo(&b, clauseTable())
	for _, t := range policyTables() {
		keysOf(&b, t)
	}
	b.WriteString(referenceEnd)
	return []byte(b.String())
}

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

// referTo writes a table with a line or two for every key.
func referTo(b *strings.Builder, t tableDoc) {
	if t.doc != "" {
		b.WriteString("\n" + comment("# ", t.doc))
	}
	if t.header != "" {
		b.WriteString(t.header + "\n")
	}
	for _, k := range t.keys {
		mute := "# "
		if k.shown {
			mute = ""
		}
		fmt.Fprintf(b, "\n%s%s%s = %s\n", comment("# ", k.doc), mute, k.key, k.value())
	}
}

// keysOf writes the keys of an inline table as a comment.
func keysOf(b *strings.Builder, t tableDoc) {
	b.WriteString("\n# " + t.doc + "\n")
	for _, k := range t.keys {
		fmt.Fprintf(b, "#\n#   %s = %s\n%s", k.key, k.value(), comment("#     ", k.doc))
	}
}

// comment is doc in lines of at most 80 columns.
func comment(indent, doc string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(doc) {
		if len(line) > len(indent) && len(line)+len(word) >= 80 {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
