package sdn

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/nvad/nvad/integration/lab/emulator/rpc"
	"golang.org/x/sync/errgroup"
)

// Feed keeps the agents behind sockets supplied with the routes of one speaker,
// which are listed anew after each value from changed. It returns when ctx is
// done or an agent is gone.
func Feed(ctx context.Context, sockets []string, name string, changed <-chan struct{}, list func() ([]Learned, error)) error {
	tasks, ctx := errgroup.WithContext(ctx)
	var outs []io.Writer
	for _, socket := range sockets {
		body, out := io.Pipe()
		outs = append(outs, out)
		context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) })
		tasks.Go(func() error { return post(ctx, socket, name, body) })
	}
	tasks.Go(func() error { return write(ctx, io.MultiWriter(outs...), changed, list) })
	return tasks.Wait()
}

func post(ctx context.Context, socket, name string, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://lab/feed/"+name, body)
	if err != nil {
		return fmt.Errorf("feed %s: %w", name, err)
	}
	resp, err := rpc.Client(socket).Do(req)
	if err != nil {
		return fmt.Errorf("feed %s: %w", name, err)
	}
	return resp.Body.Close()
}

func write(ctx context.Context, out io.Writer, changed <-chan struct{}, list func() ([]Learned, error)) error {
	enc := json.NewEncoder(out)
	for {
		routes, err := list()
		if err != nil {
			return err
		}
		if err := enc.Encode(routes); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
