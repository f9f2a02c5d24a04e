package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/nvad/nvad/integration/lab/emulator/echo"
	"github.com/nvad/nvad/integration/lab/emulator/gateway"
	"github.com/nvad/nvad/integration/lab/emulator/routeserver"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
	"github.com/spf13/cobra"
)

// roles are the emulated parts that this program can be.
var roles = map[string]func(ctx context.Context, file string) error{
	"sdn":          role(sdn.Run),
	"route-server": role(routeserver.Run),
	"gateway":      role(gateway.Run),
	"echo":         role(echo.Run),
}

// role reads a part's configuration and runs it. Being told to end is no error.
func role[C any](run func(context.Context, C) error) func(context.Context, string) error {
	return func(ctx context.Context, file string) error {
		var config C
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &config); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := run(ctx, config); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
			return err
		}
		return nil
	}
}

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "run ROLE CONFIG",
		Short:  "be one emulated part of Azure",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, ok := roles[args[0]]
			if !ok {
				return fmt.Errorf("unknown role %q", args[0])
			}
			return run(cmd.Context(), args[1])
		},
	}
}
