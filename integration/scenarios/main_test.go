package scenarios

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// configs returns the path of a file of the directory configs.
func configs(t *testing.T, path ...string) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root, "configs"}, path...)...)
}

// show logs the output of the scenario's commands.
func show(t *testing.T, l *lab.Lab) {
	t.Helper()
	var text strings.Builder
	err := l.Show(t.Context(), &text)
	t.Log(text.String())
	if err != nil {
		t.Error(err)
	}
}

// step runs one line of Scenario.Show and returns its output.
func step(t *testing.T, l *lab.Lab, line string) string {
	t.Helper()
	out, err := l.Step(t.Context(), line)
	if err != nil {
		t.Error(err)
	}
	return out
}

// lines splits a text into lines without spaces at either end.
func lines(text string) []string {
	var list []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		list = append(list, strings.TrimSpace(line))
	}
	return list
}

// hops returns the addresses of a traceroute, with "*" for a hop that does not answer. It
// sends one probe at a time, because hosts limit how many they answer.
func hops(t *testing.T, l *lab.Lab, from, to string) []string {
	t.Helper()
	var list []string
	for _, line := range lines(step(t, l, from+"# traceroute -n -q 1 -N 1 -w 0.3 -m 8 "+to))[1:] {
		list = append(list, strings.Fields(line)[1])
	}
	return list
}

// wantHops checks a traceroute, given as in "10.0.0.4 * 10.100.0.5".
func wantHops(t *testing.T, l *lab.Lab, from, want string) {
	t.Helper()
	to := want[strings.LastIndex(want, " ")+1:]
	if got := strings.Join(hops(t, l, from, to), " "); got != want {
		t.Errorf("%s: hops are %s, want %s", from, got, want)
	}
}

// wantEffective compares effective routes with a table as the articles print it: rows of
// source, state, prefix, type, next hop and name.
func wantEffective(t *testing.T, l *lab.Lab, vm, table string) {
	t.Helper()
	var want []string
	for _, row := range lines(table) {
		cells := strings.Split(row, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		want = append(want, strings.Join(cells, "|"))
	}
	slices.Sort(want)
	lab.Eventually(t, 5*time.Second, func() error {
		if got := effective(t, l, vm); !slices.Equal(got, want) {
			return fmt.Errorf("effective routes of %s are\n%s\nwant\n%s", vm, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}

func effective(t *testing.T, l *lab.Lab, vm string) []string {
	t.Helper()
	routes, err := l.EffectiveRoutes(t.Context(), vm)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range routes {
		row := []string{r.Source, r.State, r.Prefix.String(), r.NextHopType, "-", cmp.Or(r.Name, "-")}
		for _, hop := range r.NextHops {
			row[4] = hop.String()
			rows = append(rows, strings.Join(row, "|"))
		}
		if len(r.NextHops) == 0 {
			rows = append(rows, strings.Join(row, "|"))
		}
	}
	slices.Sort(rows)
	return rows
}

// noLoss pings at short intervals and expects every answer.
func noLoss(t *testing.T, l *lab.Lab, from, to string) {
	t.Helper()
	if out := step(t, l, from+"# ping -q -c 20 -i 0.02 -W 1 "+to); !strings.Contains(out, " 0% packet loss") {
		t.Errorf("%s to %s:\n%s", from, to, out)
	}
}
