// Package echo emulates a host that answers each request with the source and destination
// address it saw, so that callers learn which address they appear with.
package echo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config describes the host.
type Config struct {
	Addresses []netip.AddrPort
}

// Run answers HTTP requests until ctx is done.
func Run(ctx context.Context, c Config) error {
	tasks, ctx := errgroup.WithContext(ctx)
	for _, addr := range c.Addresses {
		tasks.Go(func() error { return serve(ctx, addr) })
	}
	return tasks.Wait()
}

func serve(ctx context.Context, addr netip.AddrPort) error {
	srv := &http.Server{Addr: addr.String(), Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answer on %s: %w", addr, err)
	}
	return nil
}

func answer(w http.ResponseWriter, req *http.Request) {
	caller, _, _ := net.SplitHostPort(req.RemoteAddr)
	fmt.Fprintf(w, "%s asked %s\n", caller, req.Context().Value(http.LocalAddrContextKey))
}
