package probe

import (
	"slices"
	"time"
)

// Result says how many packets of a stream were lost, and for how long.
type Result struct {
	Sent, Lost int
	// Outages gives, for each flow, the time during which its packets were lost.
	Outages []time.Duration
	// Open counts the flows that were still lost at the end: their outages are longer than
	// measured.
	Open int
	// Stall is the longest time between two sent packets, which the sender itself may have
	// added to an outage.
	Stall time.Duration
}

// judge computes the result. sent and arrived are indexed by packet number. The packets of a
// flow are flows numbers apart and, unless the sender stalls, one interval apart.
func judge(sent []time.Duration, arrived []bool, flows int, interval time.Duration) Result {
	r := Result{Sent: len(sent), Outages: make([]time.Duration, flows)}
	for i := 1; i < len(sent); i++ {
		r.Stall = max(r.Stall, sent[i]-sent[i-1])
	}
	for f := range flows {
		last, losing := time.Duration(0), false // last: when the last packet that arrived was sent
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

// Median returns the median of the flows' outages.
func (r Result) Median() time.Duration { return Median(r.Outages) }

// Worst returns the longest outage of any flow.
func (r Result) Worst() time.Duration { return slices.Max(r.Outages) }

// Median returns the middle element of a non-empty list, the upper one if there are two.
func Median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
