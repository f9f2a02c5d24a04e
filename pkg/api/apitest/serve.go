package apitest

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/telemetry"
)

// Serve serves d on a socket of its own, whose path it returns, until the test ends or the
// daemon is asked to stop. Build is what it says of itself.
func Serve(t testing.TB, d *Daemon, build telemetry.BuildInfo) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvad") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "nvad.sock")
	l, err := api.Listen(socket, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	d.OnQuit = Run(t, l, api.NewServer(api.Params{Reader: d, Controller: d, AdminGroup: OwnGroup(t), Build: build}))
	return socket
}

// Run serves s on l until the test ends, or stop is called.
func Run(t testing.TB, l net.Listener, s *grpc.Server) (stop func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, l, s) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return stop
}
