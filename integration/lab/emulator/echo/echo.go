// Package echo emulates a host that answers each request with the source and destination
// address it saw, so that callers learn which address they appear with.
package echo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/nvad/nvad/integration/lab/emulator/rpc"
)

// Config describes the host.
type Config struct {
	Addresses []netip.AddrPort
}

// Run answers HTTP requests until ctx is done.
func Run(ctx context.Context, c Config) error {
	tasks, ctx := errgroup.WithContext(ctx)
	for _, addr := range c.Addresses {
		tasks.Go(func() error { return rpc.ServeOn(ctx, "tcp", addr.String(), http.HandlerFunc(answer)) })
	}
	return tasks.Wait()
}

func answer(w http.ResponseWriter, req *http.Request) {
	caller, _, _ := net.SplitHostPort(req.RemoteAddr)
	fmt.Fprintf(w, "%s asked %s\n", caller, req.Context().Value(http.LocalAddrContextKey))
}
