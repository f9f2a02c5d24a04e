package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// quote is s as a TOML basic string. What can't be printed is escaped, so that a
// terminal shows it and does not obey it.
func quote(s string) string {
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

// tomlKey is s as one part of a key, quoted only where it must be.
func tomlKey(s string) string {
	if bareKey.MatchString(s) {
		return s
	}
	return quote(s)
}

// list is a TOML array on one line.
func list[E any](in []E, toml func(E) string) string {
	out := make([]string, len(in))
	for i, e := range in {
		out[i] = toml(e)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
