// Package internet is a host far away that tells whoever asks from which address
// the question came.
package internet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Config describes the host.
type Config struct {
	Address netip.Addr
}

// Run answers HTTP requests until ctx is done.
func Run(ctx context.Context, c Config) error {
	answer := func(w http.ResponseWriter, req *http.Request) {
		host, _, _ := net.SplitHostPort(req.RemoteAddr)
		fmt.Fprintln(w, host)
	}
	srv := &http.Server{
		Addr:              netip.AddrPortFrom(c.Address, 80).String(),
		Handler:           http.HandlerFunc(answer),
		ReadHeaderTimeout: 10 * time.Second,
	}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("internet: %w", err)
	}
	return nil
}
