package drawing

import (
	"encoding/xml"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Widths of a character of the drawing's fonts, in CSS pixels. Letters differ, so this is more
// than the average: text that fits by this measure fits.
const (
	titleChar  = 7.4
	detailChar = 6.3
)

// textWidth estimates the width of s in the smaller font, in CSS pixels.
func textWidth(s string) int { return int(float64(utf8.RuneCountInString(s)) * detailChar) }

// cut shortens s to what fits into width, and marks the cut.
func cut(s string, width int, char float64) string {
	most := max(int(float64(width)/char), 1)
	runes := []rune(visible(s))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}

// visible removes what cannot be seen, such as marks that change the direction of writing.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(visible(s))) // a builder accepts everything
	return b.String()
}

// joined returns the parts that are not empty, separated by sep.
func joined(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}
