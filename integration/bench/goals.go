package bench

import (
	"fmt"
	"io"
	"math"

	"github.com/nvad/nvad/integration/rivals"
)

// goal is a figure of nvad's that this project wants to be at most a limit.
type goal struct {
	key, title string
	most       string // the limit in words
	size       int    // 0: at every size
	limit      func(value func(subject, key string) float64) float64
}

// goals are those of docs/performance.md.
var goals = []goal{
	{"fib", "FIB complete", "the faster of BIRD 2.17 and 3.1", 0, fasterBIRD("fib")},
	{"told-nva", "all advertised to the NVA", "the faster of BIRD 2.17 and 3.1", 0, fasterBIRD("told-nva")},
	{"told-rs2", "all advertised to the second Route Server", "the faster of BIRD 2.17 and 3.1", 0, fasterBIRD("told-rs2")},
	{"p99", "one new route, p99", "1.3 x BIRD 2.17", 1000, times(1.3, rivals.BIRD2.Name, "p99")},
	{"cpu", "processor time until all are advertised", "1.1 x BIRD 3.1", 100_000, times(1.1, rivals.BIRD3.Name, "cpu")},
	{"memory", "memory, all routes", "2 x BIRD 3.1", 100_000, times(2, rivals.BIRD3.Name, "memory")},
	{"idle", "memory, no routes", "20 MiB", 0, func(func(subject, key string) float64) float64 { return 20 }},
	{"peak", "memory, peak", "1.3 x what stays", 0, times(1.3, Nvad, "memory")},
}

func fasterBIRD(key string) func(func(subject, key string) float64) float64 {
	return func(value func(subject, key string) float64) float64 {
		return math.Min(value(rivals.BIRD2.Name, key), value(rivals.BIRD3.Name, key))
	}
}

func times(factor float64, subject, key string) func(func(subject, key string) float64) float64 {
	return func(value func(subject, key string) float64) float64 { return factor * value(subject, key) }
}

// WriteGoals writes which goals are met, as far as the run has their figures, in Markdown.
func (r *Report) WriteGoals(w io.Writer) {
	rows := [][]string{{"goal", "at most", "which is", "nvad", "unit", ""}}
	for _, size := range r.Sizes() {
		for _, g := range goals {
			value := func(subject, key string) float64 { return r.Value(subject, size, key) }
			got, limit := value(Nvad, g.key), g.limit(value)
			if g.size != 0 && g.size != size || math.IsNaN(got) || math.IsNaN(limit) {
				continue
			}
			verdict := "met"
			if got > limit {
				verdict = "**missed**"
			}
			rows = append(rows, []string{fmt.Sprintf("%d routes: %s", size, g.title), g.most, figure(limit), figure(got), metricOf(g.key).unit, verdict})
		}
	}
	if len(rows) > 1 {
		writeRows(w, rows)
	}
}
