package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/nat"
)

// questions are the questions that cost time of the engine, the kernel or the disk, and
// that any client may ask as often as it likes.
type questions struct {
	status    func(context.Context) (api.Status, error)
	vitals    func(context.Context) (engine.Vitals, error)
	neighbors func(context.Context) ([]api.Neighbor, error)
	ranges    func(context.Context) ([]engine.Range, error)
	tunnels   func(context.Context) ([]api.Tunnel, error)
	nat       func(context.Context) ([]nat.Status, error)
	preview   func(context.Context) (api.Preview, error)
	effect    func(context.Context) (api.Preview, error)
}

func (d *daemon) questions() questions {
	return questions{
		status: shared(d.askStatus), vitals: shared(d.askVitals), neighbors: shared(d.askNeighbors),
		ranges: shared(d.askRanges), tunnels: shared(d.askTunnels),
		nat: shared(d.askNAT), preview: shared(d.askPreview), effect: shared(d.askEffect),
	}
}

// Times of a shared question.
const (
	askTime   = 10 * time.Second       // time limit of an answer
	pauseMost = 100 * time.Millisecond // longest pause between two answers
	pauseTime = 3                      // the pause, in times that the last answer took
)

// flight is a question that is being answered, or will be next.
type flight[T any] struct {
	done   chan struct{}
	answer T
	err    error
}

// shared returns ask for use by many callers at once. All who ask before an answer
// begins share it, so that it is never older than their question. Then follows a pause
// of several times its duration. So a client that asks without end, over any number of
// connections, takes a quarter of the engine's time at most. Callers must not change
// the answer.
func shared[T any](ask func(context.Context) (T, error)) func(context.Context) (T, error) {
	var (
		mu   sync.Mutex
		next *flight[T] // not begun yet; nil: none
	)
	turn := make(chan struct{}, 1)
	fly := func(f *flight[T]) {
		turn <- struct{}{}
		mu.Lock()
		next = nil
		mu.Unlock()
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), askTime)
		f.answer, f.err = ask(ctx)
		cancel()
		close(f.done)
		time.AfterFunc(min(pauseMost, pauseTime*time.Since(began)), func() { <-turn })
	}
	return func(ctx context.Context) (T, error) {
		mu.Lock()
		f := next
		if f == nil {
			f = &flight[T]{done: make(chan struct{})}
			next = f
			go fly(f)
		}
		mu.Unlock()
		select {
		case <-f.done:
			return f.answer, f.err
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
}
