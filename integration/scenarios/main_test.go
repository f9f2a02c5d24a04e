package scenarios

import (
	"os"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// show logs what the scenario shows.
func show(t *testing.T, l *lab.Lab) {
	t.Helper()
	var text strings.Builder
	err := l.Show(t.Context(), &text)
	t.Log(text.String())
	if err != nil {
		t.Error(err)
	}
}

// step runs a line as Scenario.Show has them and returns what it prints.
func step(t *testing.T, l *lab.Lab, line string) string {
	t.Helper()
	out, err := l.Step(t.Context(), line)
	if err != nil {
		t.Error(err)
	}
	return out
}

// lines are the lines of a text, without spaces at either end.
func lines(text string) []string {
	var list []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		list = append(list, strings.TrimSpace(line))
	}
	return list
}
