package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// seqStep is the distance between rules that are not numbered by the user.
const seqStep = 5

var errSeqRange = errors.New("sequence number must be between 1 and 4294967295")

// position is where a rule or clause stands as written, and its number.
type position struct{ index, seq int }

// number gives every rule its number in the order of writing and returns the
// positions by ascending number. A number given twice is an error.
func number[T any](rules []T, seq func(T) int) ([]position, []position) {
	out := make([]position, 0, len(rules))
	seen := make(map[int]bool, len(rules))
	var twice []position
	highest := 0
	for i, r := range rules {
		at := position{i, seq(r)}
		if at.seq == 0 {
			at.seq = highest/seqStep*seqStep + seqStep
		}
		highest = max(highest, at.seq)
		if seen[at.seq] {
			twice = append(twice, at)
		}
		seen[at.seq] = true
		out = append(out, at)
	}
	slices.SortStableFunc(out, func(a, b position) int { return cmp.Compare(a.seq, b.seq) })
	return out, twice
}

// ordered returns copies of rules by ascending number, each with the number it
// goes by, their positions, and the errors of the numbering.
func ordered[T any](kind Kind, name string, rules []T, seq func(*T) *int) ([]T, []position, []*Error) {
	places, twice := number(rules, func(r T) int { return *seq(&r) })
	var errs []*Error
	for _, at := range twice {
		errs = append(errs, &Error{kind, name, at.index, at.seq, "seq", fmt.Errorf("sequence number %d is given twice", at.seq)})
	}
	out := make([]T, len(rules))
	for i, at := range places {
		out[i] = rules[at.index]
		*seq(&out[i]) = at.seq
		if at.seq < 0 || int64(at.seq) > 1<<32-1 {
			errs = append(errs, &Error{kind, name, at.index, at.seq, "seq", errSeqRange})
		}
	}
	return out, places, errs
}
