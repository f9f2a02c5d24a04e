// Bench measures nvad beside FRR and BIRD, see package bench. It needs root.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nvad/nvad/integration/bench"
	"github.com/nvad/nvad/integration/rivals"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	o := bench.Options{Log: os.Stderr}
	beside := flag.String("rivals", allRivals(), "what to measure beside nvad; names may be shortened; empty: nothing")
	sizes := flag.String("sizes", "1000,10000,100000", "numbers of routes")
	phases := flag.String("phases", "", "phases to run, such as start,converge; empty: all")
	out := flag.String("out", "", "directory for bench.json, bench.md and bench.svg")
	flag.IntVar(&o.Rounds, "rounds", 1, "rounds, of which medians are taken")
	flag.StringVar(&o.Nvad, "nvad", "bin/nvad", "nvad's binary")
	flag.IntVar(&o.Probes, "probes", 1000, "single routes for the latency")
	flag.DurationVar(&o.Settle, "settle", 3*time.Second, "time to tidy up before memory is read")
	flag.DurationVar(&o.Churn, "churn", 10*time.Second, "how long routes flap; 0: not at all")
	flag.IntVar(&o.ChurnAt, "churn-at", 100_000, "number of routes at which some flap")
	flag.Parse()
	var err error
	if o.Sizes, err = integers(*sizes); err != nil {
		return err
	}
	o.Phases = list(*phases)
	for _, name := range list(*beside) {
		r, err := rivals.Find(name)
		if err != nil {
			return err
		}
		o.Rivals = append(o.Rivals, r)
	}
	if o.Nvad, err = filepath.Abs(o.Nvad); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := bench.Run(ctx, o)
	if report == nil || len(report.Results) == 0 {
		return err
	}
	report.Command = strings.Join(append([]string{"bench"}, os.Args[1:]...), " ")
	report.WriteTable(os.Stdout)
	if *out != "" && err == nil {
		err = report.WriteFiles(*out)
	}
	return err
}

func allRivals() string {
	var names []string
	for _, r := range rivals.All {
		names = append(names, r.Name)
	}
	return strings.Join(names, ",")
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

func integers(s string) ([]int, error) {
	var out []int
	for _, word := range list(s) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
