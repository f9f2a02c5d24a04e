package config

import "strings"

// suggest is the candidate nearest to word, or "" if none is near enough to be
// what was meant. One that word begins is near.
func suggest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, bestDist := "", 2+len(word)/3
	for _, c := range candidates {
		d := editDistance(word, strings.ToLower(c))
		if word != "" && strings.HasPrefix(c, word+"-") {
			d = 1
		}
		if d < bestDist {
			best, bestDist = c, d
		}
	}
	return best
}

// didYouMean is ` (did you mean "x"?)`, or nothing.
func didYouMean(word string, candidates []string) string {
	if s := suggest(word, candidates); s != "" {
		return ` (did you mean "` + s + `"?)`
	}
	return ""
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
