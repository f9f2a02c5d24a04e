package bench

import (
	"bytes"
	"encoding/xml"
	"io"
	"maps"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/integration/rivals"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// TestEveryFigure runs the whole bench on nvad and looks that it measures what
// it says, not how fast that is.
func TestEveryFigure(t *testing.T) {
	lab.RequireRoot(t)
	lab.RequireCommands(t, "ip")
	const n = 1000
	report, err := Run(t.Context(), Options{
		Sizes: []int{n}, Rounds: 1, Nvad: lab.Build(t, "./cmd/nvad"),
		Probes: 20, Settle: 200 * time.Millisecond, Churn: time.Second, ChurnAt: n, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range report.Results {
		if len(res.Errors) > 0 {
			t.Errorf("%s: %q", res.Subject, res.Errors)
		}
	}
	value := func(key string) float64 { return report.Value("nvad", n, key) }
	for _, m := range metrics {
		if v := value(m.key); math.IsNaN(v) || v < 0 && m.key != "churn-growth" {
			t.Errorf("%s (%s) = %v", m.key, m.title, v)
		}
	}
	if math.IsNaN(report.Value(Floor, n, "fib")) {
		t.Error("the kernel's speed is missing")
	}
	if got := value("packing"); got > 1.0/routesPerSet {
		t.Errorf("%v UPDATEs for each route told, %v were received", got, 1.0/routesPerSet)
	}
	if p50, p99 := value("p50"), value("p99"); p50 > p99 || p50 == 0 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
	if idle, peak := value("idle"), value("peak"); idle == 0 || idle > peak {
		t.Errorf("%v MiB idle, %v MiB at most", idle, peak)
	}
	writes(t, report)
}

// TestPhases chooses phases that can't be measured, each a panic or an empty report
// if it were tried.
func TestPhases(t *testing.T) {
	for want, chosen := range map[string][]string{
		`phase "converge" needs "start" before it: name both`: {"converge"},
		`phase "stall" needs "withdraw" before it: name both`: {"start", "converge", "stall"},
		`no phase "convergence": choose from cold, `:          {"start", "convergence"},
	} {
		_, err := Run(t.Context(), Options{Phases: chosen})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", chosen, err, want)
		}
	}
	for _, chosen := range [][]string{nil, {"cold"}, {"start", "converge", "latency"}, {"add", "delete"}} {
		if err := checkPhases(chosen); err != nil {
			t.Errorf("%q: %v", chosen, err)
		}
	}
}

// TestGoals: a goal is reported at its size, once its figures are there.
func TestGoals(t *testing.T) {
	r := &Report{}
	add := func(subject string, size int, values map[string]float64) {
		r.Results = append(r.Results, Result{Subject: subject, Size: size, Values: values})
	}
	add(Nvad, 1000, map[string]float64{"fib": 2, "p99": 1.2, "memory": 10, "peak": 14, "cpu": 9})
	add(rivals.BIRD2.Name, 1000, map[string]float64{"fib": 3, "p99": 1})
	var before, after strings.Builder
	r.WriteGoals(&before)
	add(rivals.BIRD3.Name, 1000, map[string]float64{"fib": 1, "cpu": 1})
	r.WriteGoals(&after)
	for text, want := range map[string]struct {
		in   string
		rows int
	}{
		"1000 routes: one new route, p99 | 1.3 x BIRD 2.17 | 1.30 | 1.20 | ms | met":    {before.String(), 2},
		"memory, peak | 1.3 x what stays | 13.0 | 14.0 | MiB | **missed**":              {before.String(), 2},
		"FIB complete | the faster of BIRD 2.17 and 3.1 | 1.00 | 2.00 | s | **missed**": {after.String(), 3},
	} {
		got := strings.Join(strings.Fields(want.in), " ")
		if !strings.Contains(got, text) || strings.Count(want.in, "\n") != want.rows+3 {
			t.Errorf("%q and %d rows are not in\n%s", text, want.rows, want.in)
		}
	}
}

// writes looks that the report can be written.
func writes(t *testing.T, r *Report) {
	var svg bytes.Buffer
	if err := r.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(&svg); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("chart: %v", err)
		}
	}
	if err := r.WriteJSON(io.Discard); err != nil {
		t.Error(err)
	}
	r.WriteTable(io.Discard)
}

// TestMessages looks that what is fed says what it is meant to say.
func TestMessages(t *testing.T) {
	const n = 2003
	p := &peer{told: newTracker(), sender: sender{nextHop: netip.MustParseAddr("10.0.210.4")}}
	sets := map[string]bool{}
	for _, m := range messages(p.announcements(n)) {
		if err := p.take(m[rawbgp.HeaderLen:]); err != nil {
			t.Fatal(err)
		}
		attributes := int(m[rawbgp.HeaderLen+2])<<8 | int(m[rawbgp.HeaderLen+3])
		sets[string(m[rawbgp.HeaderLen+4:rawbgp.HeaderLen+4+attributes])] = true
	}
	if p.told.len() != n || p.updates.Load() != 401 || len(sets) != 401 {
		t.Errorf("%d routes in %d UPDATEs with %d sets", p.told.len(), p.updates.Load(), len(sets))
	}
	for _, m := range messages(withdrawals(0, n)) {
		if err := p.take(m[rawbgp.HeaderLen:]); err != nil {
			t.Fatal(err)
		}
	}
	if p.told.len() != 0 {
		t.Errorf("%d routes left", p.told.len())
	}
}

func messages(chunks [][]byte) (out [][]byte) {
	for _, c := range chunks {
		for len(c) > 0 {
			n := int(c[16])<<8 | int(c[17])
			out, c = append(out, c[:n]), c[n:]
		}
	}
	return out
}

func TestSetsAreDistinct(t *testing.T) {
	sets := map[string]bool{}
	s := sender{nextHop: netip.MustParseAddr("10.0.210.4")}
	for i := range distinctSets {
		sets[string(s.attributes(nil, i))] = true
	}
	if len(sets) != distinctSets {
		t.Errorf("%d distinct sets of %d", len(sets), distinctSets)
	}
}

func TestTrackerTellsTheMoment(t *testing.T) {
	tr := newTracker()
	two := tr.expect(2)
	tr.set(1, true)
	tr.set(1, true)
	tr.set(probeBase+1, true)
	if len(two) != 0 {
		t.Fatal("told of two routes with one")
	}
	tr.set(2, true)
	if len(two) != 1 {
		t.Fatal("not told of two routes")
	}
	probe, none := tr.expectProbe(probeBase+2), tr.expect(0)
	tr.set(probeBase+2, true)
	tr.reset()
	if len(probe) != 1 || len(none) != 1 {
		t.Errorf("told of the probe %d times, of no routes %d times", len(probe), len(none))
	}
}

func TestMedian(t *testing.T) {
	r := &Report{}
	for _, v := range []float64{9, 1, 4, 2} {
		r.Results = append(r.Results, Result{Subject: "nvad", Size: 1, Values: map[string]float64{"fib": v}})
	}
	if got := r.Value("nvad", 1, "fib"); got != 3 {
		t.Errorf("median %v", got)
	}
	if got := r.Value("bird", 1, "fib"); !math.IsNaN(got) {
		t.Errorf("median of nothing %v", got)
	}
	titles := slices.Sorted(maps.Keys(chartTitles))
	if want := slices.Sorted(slices.Values(charted)); !slices.Equal(titles, want) {
		t.Errorf("chart titles for %v, charted are %v", titles, want)
	}
}
