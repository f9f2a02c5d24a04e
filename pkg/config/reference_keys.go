package config

import "github.com/nvad/nvad/pkg/policy"

// keyDoc is what a reference says of a key.
type keyDoc struct {
	key, doc, kind string
	example        string // empty where the default is one
	base           string // the default; empty if there is none, or doc names it
	shown          bool
	required       bool
	impact         Impact
}

// value is the example, or the default where there is none.
func (k *keyDoc) value() string {
	if k.example != "" {
		return k.example
	}
	return k.base
}

// tableDoc is what a reference says of a table.
type tableDoc struct {
	header string // as it stands in a file; empty for keys above the first table
	doc    string
	title  string // what it is called where header does not
	// each tells what adding and removing one costs, where there are several.
	each string
	keys []keyDoc
}

// keyDocs describes fields, with the defaults that base holds.
func keyDocs[T any](base *T, fields []field[T]) []keyDoc {
	var zero T
	out := make([]keyDoc, len(fields))
	for i, f := range fields {
		v := f.bind(base)
		out[i] = keyDoc{key: f.key, doc: f.doc, kind: v.kind(), example: f.example, shown: f.shown, required: f.required, impact: f.impact}
		if def := v.toml(); !f.required && (f.example == "" || def == "false" || def != f.bind(&zero).toml()) {
			out[i].base = def
		}
	}
	return out
}

// Words for what adding and removing a table costs.
const (
	liveTables    = "Adding and removing one is live."
	tunnelTables  = "Adding one is live; removing one deletes the device."
	sessionTables = "Adding one is live; removing one ends the session."
)

// singleTables are those that a file has once.
func singleTables() []tableDoc {
	base := Default()
	return []tableDoc{
		{title: "Above the first table", keys: keyDocs(base, configFields)},
		{header: "[daemon]", doc: "The process.", keys: keyDocs(&base.Daemon, daemonFields)},
		{header: "[kernel]", doc: "The forwarding plane.", keys: keyDocs(&base.Kernel, kernelFields)},
		{header: "[limits]", doc: "Bounds of what others can make nvad take.", keys: keyDocs(&base.Limits, limitsFields)},
		{header: "[drain]", doc: "Leave of all traffic, before maintenance (nvactl drain).", keys: keyDocs(&base.Drain, drainFields)},
		{header: "[health]", doc: "Whether this NVA should carry traffic. It should not before it is in sync, nor during a drain.",
			keys: keyDocs(&base.Health, healthFields)},
		{header: "[azure]", doc: "What Azure's metadata service is asked while nvad runs.", keys: keyDocs(&base.Azure, azureFields)},
		{header: "[api]", doc: "The gRPC API over TCP. On the socket of [daemon] it is always served.", keys: keyDocs(&base.API, apiFields)},
		{header: "[metrics]", doc: "Numbers for Prometheus.", keys: keyDocs(&base.Metrics, metricsFields)},
	}
}

// forwardingTables are the arrays of tables that concern the kernel.
func forwardingTables() []tableDoc {
	tunnel, masquerade, dnat := defaultTunnel(), defaultMasquerade(), defaultDNAT()
	return []tableDoc{
		{header: "[[tunnel]]", doc: "VXLAN devices; one table each.", each: tunnelTables, keys: keyDocs(&tunnel, tunnelFields)},
		{header: "[[nic]]", doc: "NICs of a VM that has several, one table each: what a load balancer's probe asks of a NIC is answered " +
			"by that NIC. Only packets to 168.63.129.16 are concerned.", each: liveTables, keys: keyDocs(&NIC{}, nicFields)},
		{header: "[[static-route]]", doc: "Static routes; one table each.", each: liveTables, keys: keyDocs(&Static{}, staticFields)},
		{header: "[[masquerade]]", doc: "Sources hidden behind a device's address, in nvad's own nftables table; one table each.",
			each: liveTables, keys: keyDocs(&masquerade, masqueradeFields)},
		{header: "[[snat]]", doc: "Sources replaced by an address. Of these tables, and before any masquerade, the first that fits counts.",
			each: liveTables, keys: keyDocs(&SNAT{}, snatFields)},
		{header: "[[dnat]]", doc: "Destinations replaced, of what passes this NVA. The first table that fits counts.",
			each: liveTables, keys: keyDocs(&dnat, dnatFields)},
	}
}

// routingTables are the arrays of tables that concern BGP.
func routingTables() []tableDoc {
	settings := DefaultSettings()
	return []tableDoc{
		{header: "[[network]]", doc: "Prefixes that nvad originates; one table each.", each: liveTables, keys: keyDocs(&Network{}, networkFields)},
		{header: "[[aggregate]]", doc: "Prefixes that stand for their parts; one table each.", each: liveTables,
			keys: keyDocs(&Aggregate{}, aggregateFields)},
		{header: "[[redistribute]]", doc: "Routes of other sources to originate; one table each.", each: liveTables,
			keys: keyDocs(&Redistribute{}, redistributeFields)},
		{header: "[peer-group.route-server]", title: "`[peer-group.NAME]` and `[[neighbor]]`",
			doc:  "Peer-groups: settings that neighbors share. A neighbor may have any of these keys itself.",
			keys: keyDocs(&settings, settingsFields)},
		{title: "`[peer-group.NAME]` alone", doc: "Keys that a peer-group alone has:", keys: keyDocs(&Group{}, groupFields)},
		{header: "[[neighbor]]", title: "`[[neighbor]]` alone", doc: "BGP neighbors; one table each.", each: sessionTables,
			keys: keyDocs(&Neighbor{}, neighborFields)},
	}
}

// clauseTable is the table of a route-map's clause.
func clauseTable() tableDoc {
	return tableDoc{header: "[[route-map.to-azure]]", title: "`[[route-map.NAME]]`",
		doc:  "Route-maps: one table a clause. The first clause that matches decides; no match denies.",
		keys: keyDocs(&policy.Clause{}, clauseFields)}
}

// policyTables are the inline tables of policies.
func policyTables() []tableDoc {
	return []tableDoc{
		{title: "`import` and `export`", doc: "Keys of import and export, all of which must pass, in this order:",
			keys: keyDocs(&policy.Chain{}, chainFields)},
		{title: "`match`", doc: "Keys of match:", keys: keyDocs(&policy.Match{}, matchFields)},
		{title: "`set`", doc: "Keys of set:", keys: keyDocs(&policy.Set{}, setFields)},
	}
}
