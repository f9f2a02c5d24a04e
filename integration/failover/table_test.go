package failover

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/failover/probe"
	"github.com/nvad/nvad/integration/lab"
)

// add includes the result of one round.
func (o *outage) add(r probe.Result) {
	o.Rounds++
	o.Flows = append(o.Flows, r.Outages...)
	o.Open += r.Open
	o.Lost += r.Lost
	o.Stall = max(o.Stall, milliseconds(r.Stall))
	o.Median, o.Worst = milliseconds(probe.Median(o.Flows)), milliseconds(slices.Max(o.Flows))
}

func milliseconds(d time.Duration) float64 { return float64(d.Round(100*time.Microsecond)) / 1e6 }

// text returns the median and the worst outage. A flow that stayed lost has neither.
func (o *outage) text() string {
	open := ""
	if o.Open > 0 {
		open = ">"
	}
	return fmt.Sprintf("%.1f / %s%.1f", o.Median, open, o.Worst)
}

// print prints a table with a row for each failure and daemon and a column for each number of
// routes.
func (l outages) print(t *testing.T) {
	t.Helper()
	var sizes []int
	for _, o := range l {
		if !slices.Contains(sizes, o.Routes) {
			sizes = append(sizes, o.Routes)
		}
	}
	rows := [][]string{{"ms, median / worst", ""}}
	for _, n := range sizes {
		rows[0] = append(rows[0], fmt.Sprintf("%d routes", n))
	}
	for _, f := range failures {
		for _, d := range daemons() {
			row := []string{f.name, d.name}
			for _, n := range sizes {
				row = append(row, l.cell(f, d, n))
			}
			if strings.Join(row[2:], "") != "" {
				rows = append(rows, row)
			}
		}
	}
	fmt.Print(lab.Table(rows))
}

func (l outages) cell(f failure, d daemon, routes int) string {
	for _, o := range l {
		if o.Failure == f.name && o.Daemon == d.name && o.Routes == routes {
			return o.text()
		}
	}
	return ""
}

// save writes the figures as JSON.
func (l outages) save(t *testing.T, file string) {
	t.Helper()
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// numbers parses a list like "1000,100000".
func numbers(t *testing.T, text string) (list []int) {
	t.Helper()
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n <= 0 {
			t.Fatalf("%q is no number of routes", part)
		}
		list = append(list, n)
	}
	return list
}
