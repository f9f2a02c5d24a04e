// Command nvactl shows and controls the routing daemon nvad of this machine.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/nvad/nvad/pkg/ctl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := ctl.Run(ctx, ctl.SystemEnv(), os.Args[1:])
	stop()
	os.Exit(code)
}
