package frrconf

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// Render is the nvad.toml of a conversion: the configuration after comments
// that tell every leftover, those first that need attention.
func Render(cfg *config.Config, leftovers []Leftover) []byte {
	var b bytes.Buffer
	b.WriteString("# Converted from FRR.\n")
	for _, kind := range []Kind{Attention, NotSupported, NoMeaning} {
		writeLeftovers(&b, kind, leftovers)
	}
	b.WriteByte('\n')
	for line := range strings.Lines(string(config.Print(cfg, false))) {
		b.WriteString(marked(line, leftovers))
	}
	return b.Bytes()
}

func writeLeftovers(b *bytes.Buffer, kind Kind, leftovers []Leftover) {
	headed := false
	for _, l := range leftovers {
		if l.Kind != kind {
			continue
		}
		if !headed {
			fmt.Fprintf(b, "#\n# %s%s:\n", strings.ToUpper(string(kind)[:1]), string(kind)[1:])
			headed = true
		}
		if l.File != "" {
			fmt.Fprintf(b, "#   %s:%d: %s\n", printable(l.File), l.Line, printable(l.Text))
			fmt.Fprintf(b, "#     %s\n", printable(l.Reason))
			continue
		}
		fmt.Fprintf(b, "#   %s\n", printable(l.Reason))
	}
}

// placeholders are the lines that stand in for what the input does not say, by
// what is told about them.
var placeholders = map[outcome]string{
	noASN:      fmt.Sprintf("asn = %d\n", placeholderASN),
	noRouterID: fmt.Sprintf("router-id = %q\n", placeholderRouterID),
}

// marked is a line of the configuration with a comment if it holds a
// placeholder.
func marked(line string, leftovers []Leftover) string {
	for _, l := range leftovers {
		if l.File == "" && placeholders[outcome{l.Kind, l.Reason}] == line {
			return strings.TrimSuffix(line, "\n") + "  # placeholder: put in the real one\n"
		}
	}
	return line
}
