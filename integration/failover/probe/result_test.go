package probe

import (
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// stream returns packets sent a millisecond apart. A dot is a lost packet.
func stream(text string) (sent []time.Duration, arrived []bool) {
	for i, c := range text {
		sent = append(sent, time.Duration(i)*ms)
		arrived = append(arrived, c != '.')
	}
	return sent, arrived
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		text    string // packets of two flows
		lost    int
		open    int
		outages []time.Duration
	}{
		{"abababab", 0, 0, []time.Duration{0, 0}},
		{"ab.bab", 1, 0, []time.Duration{2 * ms, 0}},
		{"ab.b.bab", 2, 0, []time.Duration{4 * ms, 0}},
		{"aba.a.ab", 2, 0, []time.Duration{0, 4 * ms}},
		{"ab.bab.bab", 2, 0, []time.Duration{4 * ms, 0}}, // two outages of one flow add up
		{"ab.b.b.b", 3, 1, []time.Duration{5 * ms, 0}},
		{"......", 6, 2, []time.Duration{3 * ms, 3 * ms}},
	} {
		sent, arrived := stream(test.text)
		r := judge(sent, arrived, 2, 2*ms)
		if r.Sent != len(test.text) || r.Lost != test.lost || r.Open != test.open || !slices.Equal(r.Outages, test.outages) {
			t.Errorf("%s: %+v", test.text, r)
		}
	}
}

func TestStall(t *testing.T) {
	r := judge([]time.Duration{0, ms, 8 * ms, 9 * ms}, []bool{true, true, false, true}, 1, ms)
	if r.Stall != 7*ms || r.Worst() != 7*ms {
		t.Errorf("stall is %v, worst outage %v", r.Stall, r.Worst())
	}
}

func TestMedian(t *testing.T) {
	r := Result{Outages: []time.Duration{9 * ms, ms, 5 * ms}}
	if r.Median() != 5*ms || r.Worst() != 9*ms {
		t.Errorf("median %v, worst %v", r.Median(), r.Worst())
	}
}
