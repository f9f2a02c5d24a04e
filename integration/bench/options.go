package bench

import (
	"io"
	"time"
)

// Options say what to measure.
type Options struct {
	Subjects []string
	Sizes    []int
	Rounds   int           // of all subjects; figures are medians
	Nvad     string        // path of the binary
	Probes   int           // single routes for the latency
	Settle   time.Duration // that a subject may tidy up before its memory is read
	Churn    time.Duration // of flapping; 0: none
	ChurnAt  int           // size at which routes flap
	Phases   []string      // empty: all
	Log      io.Writer
}

// timeout bounds a phase with n routes: five thousand routes a second are given
// up.
func timeout(n int) time.Duration { return 60*time.Second + time.Duration(n)*time.Second/5000 }
