package bench

import (
	"math"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// TestRivals runs the phases whose figures are compared, with each rival and few routes: each
// takes the configuration and does the job, so that there is a figure to compare.
func TestRivals(t *testing.T) {
	lab.RequireRoot(t)
	lab.RequireCommands(t, "ip")
	const n = 500
	for _, r := range rivals.All {
		t.Run(r.Name, func(t *testing.T) {
			lab.RequireRival(t, r)
			report, err := Run(t.Context(), Options{
				Rivals: []rivals.Rival{r}, Sizes: []int{n}, Rounds: 1, Nvad: lab.Build(t, "./cmd/nvad"),
				Probes: 10, Settle: 100 * time.Millisecond, Log: t.Output(),
				Phases: []string{"start", "converge", "rest", "latency", "reload", "withdraw"},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, res := range report.Results {
				if len(res.Errors) > 0 {
					t.Errorf("%s: %q", res.Subject, res.Errors)
				}
			}
			for _, key := range []string{"fib", "told-nva", "told-rs2", "cpu", "p99", "reload", "withdraw", "idle", "memory", "peak"} {
				if v := report.Value(r.Name, n, key); math.IsNaN(v) || v <= 0 {
					t.Errorf("%s: %s = %v", r.Name, key, v)
				}
			}
		})
	}
}
