package command

import (
	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/daemon"
)

func flushCommand() *cobra.Command {
	opt := daemon.Options{}
	cmd := &cobra.Command{
		Use:   "flush",
		Short: "remove what an nvad that has ended left in the kernel",
		Long: `flush removes the routes, next-hop objects, tunnels, rules and the nftables table
that an nvad left when it ended, and puts sysctls back as they were before nvad set
them. It touches nothing else: what is nvad's is recognised by the same marks as at
a restart. Removing the package does this by itself.

It needs root, works on the network namespace that it is run in, and refuses while
an nvad runs there; then it is "nvactl stop --flush" that ends and removes. The
file tells which protocol numbers and which socket nvad had; without one the
defaults are assumed.`,
		Example: "  sudo nvad flush",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return daemon.Flush(opt, cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVarP(&opt.Config, "config", "c", defaultConfig, "configuration file of the nvad that ended")
	cmd.Flags().StringVar(&opt.Socket, "socket", "", "its gRPC socket, if it was started with another than the configuration's")
	return cmd
}
