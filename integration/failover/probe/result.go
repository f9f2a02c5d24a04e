package probe

import (
	"slices"
	"time"
)

// Result says how many packets of a stream were lost, and for how long.
type Result struct {
	Sent, Lost int
	// Outages has for each flow the time in which its packets were lost.
	Outages []time.Duration
	// Open is how many flows were still lost at the end: their outages are
	// longer than could be seen.
	Open int
	// Stall is the longest time between two packets: what the sender itself
	// may have added to an outage.
	Stall time.Duration
}

// judge computes the result: sent and arrived are by number, and the packets of
// a flow are flows numbers and, unless the sender stalls, an interval apart.
func judge(sent []time.Duration, arrived []bool, flows int, interval time.Duration) Result {
	r := Result{Sent: len(sent), Outages: make([]time.Duration, flows)}
	for i := 1; i < len(sent); i++ {
		r.Stall = max(r.Stall, sent[i]-sent[i-1])
	}
	for f := range flows {
		last, losing := time.Duration(0), false // last: sending of what arrived last
		for n := f; n < len(sent); n += flows {
			switch {
			case !arrived[n]:
				r.Lost++
				losing = true
				continue
			case losing:
				r.Outages[f] += max(sent[n]-last-interval, 0)
				losing = false
			}
			last = sent[n]
		}
		if losing {
			r.Outages[f] += max(sent[len(sent)-1]-last-interval, interval)
			r.Open++
		}
	}
	return r
}

// Median is that of the flows' outages.
func (r Result) Median() time.Duration { return Median(r.Outages) }

// Worst is the longest outage of a flow.
func (r Result) Worst() time.Duration { return slices.Max(r.Outages) }

// Median is the middle one of a list that is not empty, the upper one of two.
func Median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
