package daemon

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A hundred callers who ask for ten seconds cost a quarter of that time. Nobody gets an
// answer from before its question, and nobody waits for long.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy time.Duration
		ask := shared(func(context.Context) (time.Time, error) {
			now := time.Now()
			time.Sleep(20 * time.Millisecond)
			busy += 20 * time.Millisecond
			return now, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				for ctx.Err() == nil {
					asked := time.Now()
					at, err := ask(context.Background())
					switch took := time.Since(asked); {
					case err != nil:
						t.Error(err)
					case at.Before(asked):
						t.Errorf("an answer %v older than the question", asked.Sub(at))
					case took > 200*time.Millisecond:
						t.Errorf("waited %v", took)
					}
				}
			})
		}
		callers.Wait()
		if busy > 3*time.Second {
			t.Errorf("busy for %v of 10 s", busy)
		}
		time.Sleep(time.Second)
	})
}

// A caller that gives up does not affect the others.
func TestSharedImpatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask := shared(func(context.Context) (int, error) { time.Sleep(time.Second); return 7, nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := ask(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		if got, err := ask(t.Context()); got != 7 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		time.Sleep(time.Second)
	})
}

// TestClientsLeaveDescriptors: whatever the limit, clients together get less than
// half of it, and each kind some.
func TestClientsLeaveDescriptors(t *testing.T) {
	for _, limit := range []uint64{64, 256, 1024, 4096, 65536, 1 << 40} {
		c := clientsFor(limit)
		all := 0
		for name, p := range map[string]interface{ Most() int }{"http": c.http, "tcp": c.tcp, "unix": c.unix} {
			if p.Most() < 4 {
				t.Errorf("%d descriptors: %d for %s", limit, p.Most(), name)
			}
			all += p.Most()
		}
		if uint64(all) > limit/3 || all > 512 {
			t.Errorf("%d of %d descriptors for clients", all, limit)
		}
	}
}
