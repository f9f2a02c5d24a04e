package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/metrics"
	"github.com/nvad/nvad/pkg/watch"
)

// frequentKinds are those that a neighbor can make happen as often as it likes. They have a
// log and a goroutine of their own, so that they delay and displace nothing else.
const frequentKinds = watch.Routes | watch.FIB

// chronicle keeps the journal: two recorders write what is published into it, and it is
// opened for readers. If the journal can't be written, events are lost, and nothing else.
type chronicle struct {
	log            *slog.Logger
	hub            *watch.Hub
	dir            string
	rare, frequent *recorder
	resized        chan struct{}       // holds one value after a change of size
	first          *watch.Subscription // of rare, from before the first event; nil: taken

	mu      sync.Mutex // guards the rest
	size    int64      // octets; 0: no journal is kept
	journal *journal.Journal
	failure error // of the last attempt to open it
}

// newChronicle returns the chronicle of a directory, with a size in MiB. It keeps what is
// published from now on.
func newChronicle(log *slog.Logger, hub *watch.Hub, stateDirectory string, mebibytes int) *chronicle {
	c := &chronicle{log: log, hub: hub, dir: filepath.Join(stateDirectory, "journal"), resized: make(chan struct{}, 1), size: int64(mebibytes) << 20}
	c.rare = &recorder{chronicle: c, kinds: watch.Everything &^ frequentKinds, sync: rareSync,
		of: func(j *journal.Journal) *journal.Log { return j.Rare }}
	c.frequent = &recorder{chronicle: c, kinds: frequentKinds, sync: frequentSync,
		of: func(j *journal.Journal) *journal.Log { return j.Frequent }}
	c.first = hub.Subscribe(watch.Filter{Kinds: c.rare.kinds})
	return c
}

// resize changes the size, in MiB. With 0 nothing is recorded any more; the files stay.
func (c *chronicle) resize(mebibytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size = int64(mebibytes) << 20; c.journal != nil && c.size > 0 {
		c.journal.Resize(c.size)
	}
	select {
	case c.resized <- struct{}{}:
	default:
	}
}

func (c *chronicle) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size > 0
}

// run keeps the journal until ctx ends. What was published until then is recorded.
func (c *chronicle) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if c.wanted() {
			c.record(ctx)
			continue
		}
		if c.first != nil {
			c.first.Close()
			c.first = nil
		}
		select {
		case <-c.resized:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// record runs the recorders until ctx ends or no journal is wanted any more.
func (c *chronicle) record(ctx context.Context) {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	first := c.first
	if c.first = nil; first == nil {
		first = c.hub.Subscribe(watch.Filter{Kinds: c.rare.kinds})
	}
	var both sync.WaitGroup
	both.Go(func() {
		defer c.rare.end()
		c.rare.run(inner, first)
	})
	both.Go(func() {
		defer c.frequent.end()
		if c.frequent.begin(inner) {
			c.frequent.run(inner, c.hub.Subscribe(watch.Filter{Kinds: c.frequent.kinds}))
		}
	})
	for c.wanted() && ctx.Err() == nil {
		select {
		case <-c.resized:
		case <-ctx.Done():
		}
	}
	stop()
	both.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.journal != nil {
		if err := c.journal.Close(); err != nil {
			c.log.Warn("the journal could not be closed in order", "reason", err)
		}
		c.journal = nil
	}
}

// open returns the journal, which it opens if it is not open yet.
func (c *chronicle) open() (*journal.Journal, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.journal != nil {
		return c.journal, nil
	}
	j, notes, err := journal.Open(c.dir, c.size, uint16(frequentKinds))
	for _, note := range notes {
		c.log.Warn("the journal is not whole", "reason", note)
	}
	c.journal, c.failure = j, err
	return j, err
}

// past opens the journal for reading. It has what was published before, unless that is
// more than can be recorded within catchTime.
func (c *chronicle) past(ctx context.Context) (api.Past, error) {
	c.rare.caughtUp(ctx)
	c.frequent.caughtUp(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.size == 0:
		return nil, api.Conflict("nvad keeps no journal: size of [journal] is 0")
	case c.journal == nil && c.failure != nil:
		return nil, api.Conflict("the journal can't be opened: %s", c.failure)
	case c.journal == nil:
		return nil, api.Conflict("the journal is not open yet; try again")
	}
	return c.journal.View(), nil
}

// trouble says why events are being lost; empty: they are not.
func (c *chronicle) trouble() string {
	for _, r := range []*recorder{c.rare, c.frequent} {
		if why := r.trouble.Load(); why != nil {
			return fmt.Sprintf("events are not recorded in the journal: %s (nvad keeps trying)", *why)
		}
	}
	return ""
}

// counts are totals of events since the start.
type counts struct{ written, lost atomic.Uint64 }

// sample returns what the metrics show.
func (c *chronicle) sample() metrics.Journal {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := metrics.Journal{
		Written: c.rare.written.Load() + c.frequent.written.Load(), Lost: c.rare.lost.Load() + c.frequent.lost.Load(),
	}
	if c.journal != nil {
		out.Octets = c.journal.Octets()
	}
	return out
}
