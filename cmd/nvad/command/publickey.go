package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/daemon"
)

func publicKeyCommand() *cobra.Command {
	opt := daemon.Options{}
	cmd := &cobra.Command{
		Use:   "public-key TUNNEL",
		Short: "print the public key of a WireGuard tunnel",
		Long: `public-key prints the key that the other end of a WireGuard tunnel needs. If there
is no private key for a tunnel of that name yet, it makes one where nvad will
look for it: in the state directory. So the other end can be configured before
nvad starts here. A private key is never printed.`,
		Example: `  nvad public-key wg0`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := daemon.PublicKey(opt, args[0])
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), key)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&opt.Socket, "socket", "", "gRPC socket that nvad runs with, beside which its state is")
	return cmd
}
