package gobgp

import (
	"fmt"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// TestStartTogether lets two speakers dial each other at the same moment, which
// is when connections collide (RFC 4271 6.8). Four pairs do so side by side.
func TestStartTogether(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 3
	}
	for pair := range 4 {
		t.Run(fmt.Sprintf("pair %d", pair), func(t *testing.T) {
			t.Parallel()
			var slowest time.Duration
			for i := range rounds {
				slowest = max(slowest, startTogether(t, pair, i))
			}
			t.Logf("slowest of %d starts: %s", rounds, slowest)
		})
	}
}

func startTogether(t *testing.T, pair, round int) time.Duration {
	a := newTestSpeaker(t, fmt.Sprintf("127.0.2.%d", 2*pair+1), "10.0.0.1", 65001)
	b := newTestSpeaker(t, fmt.Sprintf("127.0.2.%d", 2*pair+2), "10.0.0.2", 65001)
	defer a.close(CloseOptions{})
	defer b.close(CloseOptions{})
	na, nb := a.neighbor(b), b.neighbor(a)
	if round%2 == 1 {
		na.RestartTime, nb.RestartTime = 120*time.Second, 120*time.Second
	}
	begin := time.Now()
	configured := make(chan struct{})
	go func() {
		defer close(configured)
		a.configure(na)
	}()
	b.configure(nb)
	<-configured
	next[speaker.Established](a, 2*time.Second)
	next[speaker.Established](b, 2*time.Second)
	took := time.Since(begin)
	quiet(t, a, 30*time.Millisecond)
	quiet(t, b, 0)
	return took
}

// quiet fails if the session of s is lost within d.
func quiet(t *testing.T, s *testSpeaker, d time.Duration) {
	t.Helper()
	deadline := time.After(d)
	for {
		select {
		case ev := <-s.Events():
			if down, ok := ev.(speaker.Down); ok {
				t.Fatalf("%s: session lost: %s", s.addr, down.Reason)
			}
		case <-deadline:
			return
		}
	}
}
