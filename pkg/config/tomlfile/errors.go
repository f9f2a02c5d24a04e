package tomlfile

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// Error is one fault of a file.
type Error struct {
	File string
	Line int // from 1; 0 if the fault concerns the file as a whole
	// Key is the dotted path of the key. An array's element is named by its
	// identifying key ("neighbor.10.0.210.4.port"), or else by its position,
	// counted from 1 ("neighbor[2].address").
	Key string
	Msg string
}

// Error returns "file:line: key: message", without the parts that are unknown.
func (e *Error) Error() string { return Place(e.File, e.Line, e.Key) + e.Msg }

// Place returns the "file:line: key: " that begins an error or a warning.
func Place(file string, line int, key string) string {
	var b strings.Builder
	b.WriteString(file)
	if line > 0 {
		fmt.Fprintf(&b, ":%d", line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if key != "" {
		b.WriteString(key + ": ")
	}
	return b.String()
}

// Errors lists all faults of a file in the order of its lines.
type Errors []*Error

// Error returns one line per fault, without a newline at the end.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each fault.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, err := range e {
		out[i] = err
	}
	return out
}

// compareKeys puts element 10 of a list after element 9.
func compareKeys(a, b string) int {
	listA, placeA, _ := strings.Cut(a, "[")
	listB, placeB, _ := strings.Cut(b, "[")
	return cmp.Or(cmp.Compare(listA, listB), cmp.Compare(len(placeA), len(placeB)), cmp.Compare(placeA, placeB))
}

// DidYouMean returns ` (did you mean "x"?)` with the candidate most similar to
// word, or nothing if none is similar. A candidate that continues word after a hyphen
// counts as similar: "as-path" suggests "as-path-list".
func DidYouMean(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, bestDist := "", 2+len(word)/3
	for _, c := range candidates {
		d := levenshtein.Distance(word, strings.ToLower(c), nil)
		if word != "" && strings.HasPrefix(c, word+"-") {
			d = 1
		}
		if d < bestDist {
			best, bestDist = c, d
		}
	}
	if best == "" {
		return ""
	}
	return ` (did you mean "` + best + `"?)`
}
