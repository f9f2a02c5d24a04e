package daemon

import (
	"context"
	"errors"
	"fmt"
)

// parts are the goroutines of the daemon, in the order in which they were started. If
// one fails, all end: without its engine or its kernel interface, a daemon is better
// restarted.
type parts struct {
	ctx    context.Context // ends when a part has failed, or the daemon is stopping
	cancel context.CancelCauseFunc
	list   []part
}

type part struct {
	name string
	stop context.CancelFunc
	done chan error
}

func newParts(ctx context.Context) *parts {
	p := &parts{}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	return p
}

// run starts f. The context of f ends only when stop is called for it, so that parts
// started later can be stopped first.
func (p *parts) run(name string, f func(context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(p.ctx))
	it := part{name: name, stop: stop, done: make(chan error, 1)}
	p.list = append(p.list, it)
	go func() {
		err := f(ctx)
		if err != nil && !errors.Is(err, context.Canceled) {
			err = fmt.Errorf("%s: %w", name, err)
			p.cancel(err)
			it.done <- err
			return
		}
		it.done <- nil
	}()
}

// stop stops the named part and waits for it.
func (p *parts) stop(name string) error {
	for i, it := range p.list {
		if it.name == name {
			p.list = append(p.list[:i:i], p.list[i+1:]...)
			it.stop()
			return <-it.done
		}
	}
	return nil
}

// stopAll stops the remaining parts, the latest first. It cancels p.ctx before, since a
// part may still wait for another one that was never started.
func (p *parts) stopAll() error {
	p.cancel(nil)
	var errs []error
	for len(p.list) > 0 {
		errs = append(errs, p.stop(p.list[len(p.list)-1].name))
	}
	return errors.Join(errs...)
}
