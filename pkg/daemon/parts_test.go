package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// A start that fails stops everything that it started, including a part that waits for
// one that would have come later.
func TestStopWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParts(t.Context())
		p.run("waits", func(context.Context) error {
			<-p.ctx.Done()
			return nil
		})
		if err := p.stopAll(); err != nil {
			t.Error(err)
		}
	})
}

// Parts end in reverse order, and the error names the part that failed.
func TestStopAll(t *testing.T) {
	p := newParts(t.Context())
	ended := make(chan string, 2)
	for _, name := range []string{"first", "second"} {
		p.run(name, func(ctx context.Context) error {
			<-ctx.Done()
			ended <- name
			return ctx.Err()
		})
	}
	p.run("third", func(context.Context) error { return errors.New("broken") })
	<-p.ctx.Done()
	if err := p.stopAll(); err == nil || err.Error() != "third: broken" {
		t.Errorf("got %v", err)
	}
	if a, b := <-ended, <-ended; a != "second" || b != "first" {
		t.Errorf("%s ended before %s", a, b)
	}
}
