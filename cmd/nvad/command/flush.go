package command

import (
	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/daemon"
)

func flushCommand() *cobra.Command {
	opt := daemon.Options{}
	cmd := &cobra.Command{
		Use:   "flush",
		Short: "remove everything that an nvad left in the kernel when it ended",
		Long: `flush removes the routes, next-hop objects, tunnels, rules and the nftables table
that an nvad left when it ended, and restores the sysctls that it set. It touches
nothing else: it recognises what is nvad's by the same marks as a restart does.
Removing the package runs flush.

It needs root, works on the network namespace in which it runs, and refuses to run
while an nvad runs there: "nvactl stop --flush" stops that nvad and cleans up. The
configuration file says which protocol numbers and which socket nvad used; without
a file, flush assumes the defaults.`,
		Example: "  sudo nvad flush",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return daemon.Flush(opt, cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVarP(&opt.Config, "config", "c", defaultConfig, "configuration file of the nvad that ended")
	cmd.Flags().StringVar(&opt.Socket, "socket", "", "gRPC socket that it was started with, if not the one in the configuration")
	return cmd
}
