package rib

import "testing"

// One neighbor's route does not wait for another neighbor's million.
func TestBacklogTakesTurns(t *testing.T) {
	var b backlog
	for range 100 * backlogTurn {
		b.add(1, &dest{})
	}
	single := &dest{}
	b.add(7, single)
	taken, at := 0, -1
	for {
		ds := b.take(2 * backlogTurn)
		if len(ds) == 0 {
			break
		}
		if len(ds) > backlogTurn {
			t.Fatalf("%d destinations in one turn", len(ds))
		}
		if ds[0] == single {
			at = taken
		}
		taken += len(ds)
	}
	if taken != 100*backlogTurn+1 || b.n != 0 {
		t.Errorf("took %d, %d left", taken, b.n)
	}
	if at < 0 || at > backlogTurn {
		t.Errorf("the single route came after %d others", at)
	}
}
