package tomlfile

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Printer writes a file in its normalised form.
type Printer struct {
	Redact bool // hide secrets
	b      strings.Builder
}

// String returns what was printed so far.
func (p *Printer) String() string { return p.b.String() }

// Section writes a table: its header, after an empty line, and its lines. Without
// a header, it writes the keys above the first table.
func (p *Printer) Section(header string, lines []string) {
	if p.b.Len() > 0 {
		p.b.WriteByte('\n')
	}
	if header != "" {
		p.b.WriteString(header + "\n")
	}
	for _, line := range lines {
		p.b.WriteString(line + "\n")
	}
}

// hidden replaces a secret in print.
const hidden = `"<hidden>"`

// Differing returns a line for each key whose value is not the one in base, the same
// fields bound to the defaults.
func (p *Printer) Differing(fields, base []Field) []string {
	var out []string
	for i, f := range fields {
		s := f.Value.TOML()
		if s == base[i].Value.TOML() {
			continue
		}
		if f.Value.Secret && p.Redact {
			s = hidden
		}
		out = append(out, f.Key+" = "+s)
	}
	return out
}

// Inline returns lines as a table on one line.
func Inline(lines []string) string {
	if len(lines) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(lines, ", ") + " }"
}

// Wrap returns an array on one line if it fits into 80 columns, otherwise with one
// element per line.
func Wrap(elems []string) string {
	line := "[" + strings.Join(elems, ", ") + "]"
	if len(line) <= 80 {
		return line
	}
	return "[\n  " + strings.Join(elems, ",\n  ") + ",\n]"
}

// Quote returns s as a TOML basic string. Unprintable characters are escaped, so
// that a terminal shows them instead of obeying them.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// QuoteKey returns s as one part of a dotted key, quoted only if necessary.
func QuoteKey(s string) string {
	if bareKey.MatchString(s) {
		return s
	}
	return Quote(s)
}

// SortedKeys returns the keys of m in order.
func SortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
