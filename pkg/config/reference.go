package config

import (
	"fmt"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
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
	referTo(&b, "", Default(), configFields, "")
	referTo(&b, "[daemon]", &Default().Daemon, daemonFields, "The process.")
	referTo(&b, "[kernel]", &Default().Kernel, kernelFields, "The forwarding plane.")
	referTo(&b, "[drain]", &Default().Drain, drainFields, "Leave of all traffic, before maintenance (nvactl drain).")
	referTo(&b, "[health]", &Health{}, healthFields, "Whether this NVA should carry traffic. It should not before it is in sync, nor during a drain.")
	referTo(&b, "[azure]", &Azure{}, azureFields, "What Azure's metadata service is asked while nvad runs.")
	referTo(&b, "[api]", &API{}, apiFields, "The gRPC API over TCP. On the socket of [daemon] it is always served.")
	referTo(&b, "[metrics]", &Metrics{}, metricsFields, "Numbers for Prometheus.")
	tunnel, settings := defaultTunnel(), DefaultSettings()
	referTo(&b, "[[tunnel]]", &tunnel, tunnelFields, "VXLAN devices; one table each.")
	referTo(&b, "[[static-route]]", &Static{}, staticFields, "Static routes; one table each.")
	masquerade, dnat := defaultMasquerade(), defaultDNAT()
	referTo(&b, "[[masquerade]]", &masquerade, masqueradeFields,
		"Sources hidden behind a device's address, in nvad's own nftables table; one table each.")
	referTo(&b, "[[snat]]", &SNAT{}, snatFields,
		"Sources replaced by an address. Of these tables, and before any masquerade, the first that fits counts.")
	referTo(&b, "[[dnat]]", &dnat, dnatFields,
		"Destinations replaced, of what passes this NVA. The first table that fits counts.")
	referTo(&b, "[[network]]", &Network{}, networkFields, "Prefixes that nvad originates; one table each.")
	referTo(&b, "[[aggregate]]", &Aggregate{}, aggregateFields, "Prefixes that stand for their parts; one table each.")
	referTo(&b, "[[redistribute]]", &Redistribute{}, redistributeFields, "Routes of other sources to originate; one table each.")
	referTo(&b, "[peer-group.route-server]", &settings, settingsFields,
		"Peer-groups: settings that neighbors share. A neighbor may have any of these keys itself.")
	referTo(&b, "", &Group{}, groupFields, "Keys that a peer-group alone has:")
	referTo(&b, "[[neighbor]]", &Neighbor{}, neighborFields, "BGP neighbors; one table each.")
	b.WriteString(referenceLists)
	referTo(&b, "[[route-map.to-azure]]", &policy.Clause{}, clauseFields, "Route-maps: one table a clause. "+
		"The first clause that matches decides; no match denies.")
	keysOf(&b, "Keys of import and export, all of which must pass, in this order:", chainFields)
	keysOf(&b, "Keys of match:", matchFields)
	keysOf(&b, "Keys of set:", setFields)
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
func referTo[T any](b *strings.Builder, header string, base *T, fields []field[T], doc string) {
	if doc != "" {
		b.WriteString("\n" + comment("# ", doc))
	}
	if header != "" {
		b.WriteString(header + "\n")
	}
	for _, f := range fields {
		val, mute := f.example, "# "
		if val == "" {
			val = f.bind(base).toml()
		}
		if f.shown {
			mute = ""
		}
		fmt.Fprintf(b, "\n%s%s%s = %s\n", comment("# ", f.doc), mute, f.key, val)
	}
}

// keysOf writes the keys of an inline table as a comment.
func keysOf[T any](b *strings.Builder, title string, fields []field[T]) {
	var base T
	b.WriteString("\n# " + title + "\n")
	for _, f := range fields {
		val := f.example
		if val == "" {
			val = f.bind(&base).toml()
		}
		fmt.Fprintf(b, "#\n#   %s = %s\n%s", f.key, val, comment("#     ", f.doc))
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
