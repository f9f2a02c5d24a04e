// Command azure brings labs up and down and shows what is in them. It is also
// the program that the lab starts for each emulated part of Azure.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/nvad/nvad/integration/lab"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command().ExecuteContext(ctx)
	// Unwrapped, it is that of a command that was asked for and has spoken for
	// itself.
	if child, ok := err.(*exec.ExitError); ok {
		os.Exit(child.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "azure:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "azure",
		Short:         "Azure in network namespaces",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	prefix := root.PersistentFlags().String("prefix", lab.DefaultPrefix, "names the lab and all it owns")
	root.AddCommand(demoCommand(prefix), upCommand(prefix), downCommand(prefix), execCommand(prefix), runCommand())
	root.AddCommand(scenariosCommand(), showCommand(prefix), connectCommand(prefix))
	root.AddCommand(showCommands(prefix)...)
	return root
}
