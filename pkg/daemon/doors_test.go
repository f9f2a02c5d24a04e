package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A door that can't be opened is tried until it can. The start does not wait for it.
func TestDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := errors.New("taken")
		tries := 0
		served := make(chan net.Listener, 1)
		d := &door{
			at: "socket",
			open: func() (net.Listener, error) {
				if tries++; tries < 4 {
					return nil, taken
				}
				return &net.TCPListener{}, nil
			},
			serve: func(_ context.Context, l net.Listener) error { served <- l; return nil },
		}
		log := slog.New(slog.DiscardHandler)
		l, err := d.try(log)
		if !errors.Is(err, taken) || !errors.Is(d.shut(), taken) {
			t.Errorf("%v, shut: %v", err, d.shut())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.run(ctx, l, log); !errors.Is(err, context.Canceled) {
			t.Errorf("after its end: %v", err)
		}
		began := time.Now()
		if err := d.run(t.Context(), l, log); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); tries != 4 || took != 3*doorTime || d.shut() != nil || <-served == nil {
			t.Errorf("%d attempts in %s, shut: %v", tries, took, d.shut())
		}
	})
}
