package config

import (
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// Marks around the keys in configs/reference.toml and docs/reference.md. What is before
// and after them is written by hand.
const (
	fileBegin = "# From here, the keys are generated.\n"
	fileEnd   = "\n# Up to here.\n"
	pageBegin = "<!-- From here, the keys are generated. -->\n"
	pageEnd   = "\n<!-- Up to here. -->\n"
)

// Reference returns configs/reference.toml with the keys written anew, each with its
// default or an example. It is a file that nvad can load.
func Reference(file []byte) []byte {
	return rewrite(file, fileBegin, fileEnd, func(b *strings.Builder) {
		for _, t := range append(describeTables(), describeClause()) {
			t.WriteFile(b)
		}
		for _, t := range describePolicies() {
			t.WriteComment(b)
		}
	})
}

// ReferencePage returns docs/reference.md with the keys written anew, each with its kind,
// its default, and the impact of a reload that changes it.
func ReferencePage(page []byte) []byte {
	return rewrite(page, pageBegin, pageEnd, func(b *strings.Builder) {
		for _, t := range describeTables() {
			t.WritePage(b, "")
		}
		bfd := DefaultBFD()
		tomlfile.TableDoc{Title: "`bfd`", Doc: "Keys of bfd, for neighbors and tunnels. `bfd = true` uses their defaults.",
			Keys: tomlfile.Describe(&bfd, bfdFields)}.WritePage(b, "")
		for _, t := range append([]tomlfile.TableDoc{describeClause()}, describePolicies()...) {
			t.WritePage(b, "A change costs a soft refresh of the neighbors whose policy uses it.")
		}
	})
}

// rewrite returns text with what write writes between the marks; text as it is if it
// lacks them.
func rewrite(text []byte, begin, end string, write func(*strings.Builder)) []byte {
	head, rest, _ := strings.Cut(string(text), begin)
	_, tail, ok := strings.Cut(rest, end)
	if !ok {
		return text
	}
	var b strings.Builder
	b.WriteString(head + begin)
	write(&b)
	b.WriteString(end + tail)
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
		tomlfile.TableDoc{Title: "`[peer-group.NAME]` only", Doc: "Keys that only a peer-group has:", Keys: tomlfile.Describe(&Group{ListenLimit: DefaultListenLimit}, groupFields)},
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
