// Package command is nvad's command line. It owns no state: [Execute] runs the
// daemon or one of the commands beside it, and [New] is the tree of commands, also
// for generating documentation.
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

// exitConfig is the exit code of a daemon whose configuration file is bad, and whose
// history has no text that can run in its place:
// EX_CONFIG of sysexits.h, by which a service manager knows that to start it again
// would not help.
const exitConfig = 78

// Execute runs nvad with the arguments of the process and returns its exit code.
// What went wrong is on stderr.
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

// Unwrap gives the cause to errors.As.
func (b badConfig) Unwrap() error { return b.error }

// report writes err to stderr: the errors of a configuration a line each, as
// editors and CI systems expect them, anything else after the program's name.
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
		Long: `nvad runs in the foreground: it reads one TOML file, creates the VXLAN devices,
peers with the BGP neighbors, and keeps the kernel's routes as they should be.
SIGHUP reads the file again, SIGTERM ends it. Ask it with nvactl.`,
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
	f.StringVar(&opt.Socket, "socket", "", "gRPC socket, in place of the configuration's")
	f.BoolVar(&opt.Adopt, "adopt", false, "take over BGP routes in the kernel that another program left behind")
	root.AddCommand(checkCommand(), bootstrapCommand(), flushCommand(), versionCommand())
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "check a configuration file and change nothing",
		Long: `check prints every error of the file with line and key, and exits with 1 if there
is one. Warnings name what is legal but probably not meant.`,
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
