package docs

import (
	"regexp"
	"strings"
	"testing"
)

var figure = regexp.MustCompile(`[0-9]+(?:\.[0-9]+)?(?: / [0-9.]+)?`)

// TestFigures: the measurements that docs/comparison.md quotes are in the pages they come
// from.
func TestFigures(t *testing.T) {
	text := map[string]string{}
	for _, p := range readPages(t) {
		text[p.name] = p.text
	}
	source := text["docs/performance.md"] + text["docs/failover.md"]
	_, measured, _ := strings.Cut(text["docs/comparison.md"], "## Measured")
	measured, _, _ = strings.Cut(measured, "\n## ")
	count := 0
	for _, line := range strings.Split(measured, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 6 {
			continue
		}
		for _, f := range figure.FindAllString(strings.Join(cells[2:], "|"), -1) {
			count++
			if !strings.Contains(source, " "+f+" ") {
				t.Errorf("%s is neither in docs/performance.md nor in docs/failover.md:%s", f, cells[1])
			}
		}
	}
	if count < 20 {
		t.Errorf("%d figures: are they looked for where they are?", count)
	}
}
