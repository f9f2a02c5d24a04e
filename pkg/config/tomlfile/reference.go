package tomlfile

import (
	"fmt"
	"strings"
)

// KeyDoc is a key's entry in a reference.
type KeyDoc struct {
	Field
	Default string // empty if there is none, or Doc names it
	Heading string // above the key and those that follow; empty: none
}

// value returns the example, or the default if there is none.
func (k *KeyDoc) value() string {
	if k.Example != "" {
		return k.Example
	}
	return k.Default
}

// TableDoc is a table's entry in a reference.
type TableDoc struct {
	Header string // as in a file; empty for the keys above the first table
	Doc    string
	Title  string // the heading, if it is not Header
	Each   string // what adding and removing a table costs, if there can be several
	Keys   []KeyDoc
}

// Describe returns the entries of fields, with the defaults that base has.
func Describe[T any](base *T, fields func(*T) []Field) []KeyDoc {
	zero := fields(new(T))
	out := make([]KeyDoc, len(zero))
	for i, f := range fields(base) {
		out[i] = KeyDoc{Field: f}
		if def := f.Value.TOML(); !f.Required && (f.Example == "" || def == "false" || def != zero[i].Value.TOML()) {
			out[i].Default = def
		}
	}
	return out
}

// WriteFile writes a table of an example file: each key with its description
// above it, commented out unless it is [Field.Shown].
func (t TableDoc) WriteFile(b *strings.Builder) {
	if t.Doc != "" {
		b.WriteString("\n" + comment("# ", t.Doc))
	}
	if t.Header != "" {
		b.WriteString(t.Header + "\n")
	}
	for _, k := range t.Keys {
		mute := "# "
		if k.Shown {
			mute = ""
		}
		fmt.Fprintf(b, "\n%s%s%s = %s\n", comment("# ", k.Doc), mute, k.Key, k.value())
	}
}

// WriteComment writes the keys of an inline table as a comment in an example file.
func (t TableDoc) WriteComment(b *strings.Builder) {
	b.WriteString("\n# " + t.Doc + "\n")
	for _, k := range t.Keys {
		fmt.Fprintf(b, "#\n#   %s = %s\n%s", k.Key, k.value(), comment("#     ", k.Doc))
	}
}

// comment breaks doc into lines of at most 80 columns.
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

// WritePage writes a table as a section of a Markdown page. All its keys cost the
// same to change if cost is given; otherwise each key has its own cost.
func (t TableDoc) WritePage(b *strings.Builder, cost string) {
	title := t.Title
	if title == "" {
		title = "`" + t.Header + "`"
	}
	fmt.Fprintf(b, "\n## %s\n", title)
	for _, paragraph := range []string{t.Doc, t.Each, cost} {
		if paragraph != "" {
			b.WriteString("\n" + paragraph + "\n")
		}
	}
	for _, k := range t.Keys {
		own := ""
		if cost == "" {
			own = " · " + k.Impact.String()
		}
		if k.Heading != "" {
			b.WriteString("\n### " + k.Heading + "\n")
		}
		k.writePage(b, own)
	}
}

// writePage writes what the key may be, and below it what it does.
func (k *KeyDoc) writePage(b *strings.Builder, cost string) {
	state := "optional"
	switch {
	case k.Required:
		state = "**required**"
	case k.Default != "":
		state = "default `" + k.Default + "`"
	case strings.Contains(k.Doc, "Default:"):
		state = "default below"
	case strings.Contains(k.Doc, "Required"):
		state = "see below"
	}
	fmt.Fprintf(b, "\n- **`%s`** · %s · %s%s\\\n  %s", k.Key, k.Value.Kind, state, cost, k.Doc)
	if k.Example != "" && !strings.Contains(k.Doc, k.Example) {
		fmt.Fprintf(b, " Example: `%s = %s`", k.Key, k.Example)
	}
	b.WriteString("\n")
}
