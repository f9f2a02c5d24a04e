// Package command is nvad's command line. [Execute] runs the daemon or another command;
// [New] returns the tree of commands, which also generates the documentation. It owns no
// state.
package command

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/daemon"
	"github.com/nvad/nvad/pkg/telemetry"
)

const defaultConfig = "/etc/nvad/nvad.toml"

// exitConfig is the exit code of a daemon whose configuration file is not valid and
// whose history has nothing to run in its place. It is EX_CONFIG of sysexits.h, which
// tells a service manager that another start would not help.
const exitConfig = 78

// Execute runs nvad with the arguments of the process and returns its exit code. It
// writes errors to stderr.
func Execute() int {
	err := New().Execute()
	if err == nil {
		return 0
	}
	report(err)
	var bad badConfig
	if errors.As(err, &bad) {
		return exitConfig
	}
	return 1
}

// badConfig is the error of a daemon that could not start because of its
// configuration.
type badConfig struct{ error }

// Unwrap implements the interface of package errors.
func (b badConfig) Unwrap() error { return b.error }

// report writes err to stderr: the errors of a configuration one per line, as editors
// and CI systems expect them, any other error after the name of the program.
func report(err error) {
	text := "nvad: " + err.Error()
	var list config.Errors
	if errors.As(err, &list) {
		text = list.Error()
	}
	for line := range strings.Lines(text) {
		fmt.Fprintln(os.Stderr, telemetry.ErrorPrefix()+strings.TrimSuffix(line, "\n"))
	}
}

// New returns the tree of commands.
func New() *cobra.Command {
	opt := daemon.Options{}
	root := &cobra.Command{
		Use:   "nvad [--config FILE]",
		Short: "BGP, VXLAN and kernel routes for network virtual appliances",
		Long: `nvad runs in the foreground: it reads one TOML file, creates the tunnel devices,
peers with the BGP neighbors, and keeps the kernel's routes up to date. SIGHUP reads
the file again, SIGTERM stops nvad. nvactl queries and controls it.`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := daemon.Run(cmd.Context(), opt)
			var list config.Errors
			if errors.As(err, &list) {
				return badConfig{err}
			}
			return err
		},
	}
	f := root.Flags()
	f.StringVarP(&opt.Config, "config", "c", defaultConfig, "configuration file")
	f.StringVar(&opt.Socket, "socket", "", "gRPC socket, in place of the one in the configuration")
	f.BoolVar(&opt.Adopt, "adopt", false, "take over BGP routes in the kernel that another program left behind")
	root.AddCommand(checkCommand(), bootstrapCommand(), flushCommand(), publicKeyCommand(), versionCommand())
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "check a configuration file and change nothing",
		Long: `check prints every error of the file with line and key, and exits with 1 if there
is one. Warnings point out settings that are legal, but probably a mistake.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := defaultConfig
			if len(args) == 1 {
				file = args[0]
			}
			return config.Check(file, cmd.OutOrStdout())
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), "nvad", telemetry.Build())
		},
	}
}
