package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/integration/rivals"
)

// metric is one line of the tables.
type metric struct {
	key, title, unit string
}

// metrics are all metrics, in the order of tables.
var metrics = []metric{
	{"fib", "Route Server's routes: FIB complete", "s"},
	{"told-nva", "... all advertised to the NVA", "s"},
	{"told-rs2", "... all advertised to the second Route Server", "s"},
	{"cpu", "... processor time", "s"},
	{"packing", "... UPDATEs to the NVA per route", ""},
	{"back-fib", "NVA's routes: FIB complete", "s"},
	{"back-told", "... all advertised to the Route Server", "s"},
	{"withdraw", "all withdrawn: FIB empty", "s"},
	{"withdraw-told", "... withdrawn from all neighbors", "s"},
	{"stall-withdraw", "... another route meanwhile, longest delay", "ms"},
	{"loss", "neighbor lost: FIB empty", "s"},
	{"stall-loss", "... another route meanwhile, longest delay", "ms"},
	{"p50", "one new route, neighbor to neighbor, p50", "ms"},
	{"p99", "... p99", "ms"},
	{"stall-feed", "another route while all arrive, longest delay", "ms"},
	{"cold", "exec to FIB complete, neighbor listens", "s"},
	{"reload", "changed import policy applied", "s"},
	{"stall-reload", "... another route meanwhile, longest delay", "ms"},
	{"keepalive", "longest time between KEEPALIVEs (1 s is due)", "s"},
	{"idle", "memory, no routes", "MiB"},
	{"memory", "memory, all routes", "MiB"},
	{"peak", "memory, peak", "MiB"},
	{"rest", "processor at rest with all routes", "%"},
	{"churn-p99", "1,000 flapping routes/s: delay p99", "ms"},
	{"churn-cpu", "... processor", "%"},
	{"churn-growth", "... memory growth", "MiB"},
}

func metricOf(key string) metric {
	return metrics[slices.IndexFunc(metrics, func(m metric) bool { return m.key == key })]
}

// Result has the figures of one subject with one number of routes in one round. If a
// figure is missing, Errors says why.
type Result struct {
	Subject string
	Size    int
	Round   int
	Values  map[string]float64
	Errors  []string `json:",omitempty"`
}

// Report has all results of a run.
type Report struct {
	Command string
	Machine []string
	Results []Result
}

// Floor is the subject without a routing daemon: the kernel's speed.
const Floor = "kernel"

// Value is the median of a figure over the rounds, NaN if there is none.
func (r *Report) Value(subject string, size int, key string) float64 {
	var list []float64
	for _, res := range r.Results {
		if v, ok := res.Values[key]; ok && res.Subject == subject && res.Size == size {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		return math.NaN()
	}
	slices.Sort(list)
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

// Sizes are the numbers of routes in ascending order.
func (r *Report) Sizes() []int {
	sizes := map[int]bool{}
	for _, res := range r.Results {
		sizes[res.Size] = true
	}
	return slices.Sorted(maps.Keys(sizes))
}

// subjects are those that were measured, in the order of tables.
func (r *Report) subjects() []string {
	var out []string
	for _, name := range append(subjectNames(), Floor) {
		if slices.ContainsFunc(r.Results, func(res Result) bool { return res.Subject == name }) {
			out = append(out, name)
		}
	}
	return out
}

// WriteJSON writes the report for other programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(r)
}

// WriteTable writes a table for each size, in Markdown. In parentheses behind a rival's figure
// is nvad's as a multiple of it. Then follow the goals, and what it was measured with.
func (r *Report) WriteTable(w io.Writer) {
	subjects := r.subjects()
	for _, size := range r.Sizes() {
		header := []string{fmt.Sprintf("%d routes", size), "unit"}
		rows := [][]string{append(header, subjects...)}
		for _, m := range metrics {
			if row, any := r.row(m, size, subjects); any {
				rows = append(rows, row)
			}
		}
		writeRows(w, rows)
	}
	r.WriteGoals(w)
	for _, res := range r.Results {
		for _, e := range res.Errors {
			fmt.Fprintf(w, "%s, %d routes, round %d: %s\n", res.Subject, res.Size, res.Round, e)
		}
	}
	for _, line := range r.Machine {
		fmt.Fprintf(w, "- %s\n", line)
	}
}

func (r *Report) row(m metric, size int, subjects []string) (row []string, any bool) {
	row = []string{m.title, m.unit}
	for _, s := range subjects {
		v := r.Value(s, size, m.key)
		any = any || !math.IsNaN(v)
		text := figure(v)
		if ratio := r.Value(Nvad, size, m.key) / v; s != Nvad && s != Floor && !math.IsNaN(ratio) {
			text += " (" + figure(ratio) + ")"
		}
		row = append(row, text)
	}
	return row, any
}

// figure writes a value with three significant digits.
func figure(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "-"
	case math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case math.Abs(v) >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func writeRows(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(w, "| %-*s ", widths[i], cell)
		}
		fmt.Fprintln(w, "|")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprint(w, "|", strings.Repeat("-", width+2))
			}
			fmt.Fprintln(w, "|")
		}
	}
	fmt.Fprintln(w)
}

// machine describes the processor, the kernel and the rivals.
func machine(list []rivals.Rival) []string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	out := []string{
		fmt.Sprintf("%d x %s", runtime.NumCPU(), cpuModel()),
		"Linux " + unix.ByteSliceToString(u.Release[:]),
	}
	for _, r := range list {
		out = append(out, r.Name+": "+r.Version())
	}
	return out
}

func cpuModel() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
