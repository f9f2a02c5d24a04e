package sdn

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/nvad/nvad/integration/lab/emulator/rpc"
)

// Feed keeps the agent behind socket supplied with the routes of one speaker,
// which are listed anew after each value from changed. It returns when ctx is
// done or the agent is gone.
func Feed(ctx context.Context, socket, name string, changed <-chan struct{}, list func() ([]Learned, error)) error {
	body, out := io.Pipe()
	go func() { _ = out.CloseWithError(write(ctx, out, changed, list)) }()
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
