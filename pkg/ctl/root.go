// Package ctl is the command nvactl: it asks the daemon over its socket and
// prints the answer as tables for people or as JSON for programs.
//
// Promise: tables stay within the width of the terminal, 80 columns where there
// is none; JSON has every key, in the same order, whatever the values are; a
// failure is one line on standard error and exit code 1. The package knows the
// daemon by its gRPC interface only; what a file alone tells (config, policy test)
// it asks the packages that the daemon is made of. It keeps no state.
package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// DefaultSocket is where the daemon listens unless its configuration says
// otherwise.
const DefaultSocket = "/run/nvad/nvad.sock"

// socketVariable overrides DefaultSocket in the environment.
const socketVariable = "NVAD_SOCKET"

// Env is what nvactl takes from its surroundings.
type Env struct {
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
	Now    func() time.Time
	Width  int // columns; 0: of the terminal behind Out, else 80
}

// SystemEnv is the environment of the process.
func SystemEnv() Env {
	return Env{Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Now: time.Now}
}

// Run executes nvactl with args, the program's name left out, and returns its
// exit code.
func Run(ctx context.Context, env Env, args []string) int {
	env.Width = columns(env) // before a buffer hides the terminal
	out := bufio.NewWriterSize(env.Out, 64<<10)
	env.Out = out
	cmd := NewCommand(env)
	strict(cmd)
	called := cmd
	args, err := fullNames(cmd, args)
	if err == nil {
		cmd.SetArgs(args)
		called, err = cmd.ExecuteContextC(ctx)
	}
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = failure{flushErr}
	}
	if err == nil {
		return 0
	}
	var failed failure
	var listed faults
	switch {
	case errors.As(err, &listed):
		fmt.Fprintln(env.Err, printable(listed.Error()))
	case errors.As(err, &failed):
		fmt.Fprintf(env.Err, "nvactl: %s\n", printable(failed.Error()))
	default:
		fmt.Fprintf(env.Err, "nvactl: %s (see %s --help)\n", err, called.CommandPath())
	}
	return 1
}

// faults are the errors of a configuration file, a line each, as nvad check
// prints them: each begins with its place in the file.
type faults struct{ error }

// failure is an error of a command that was called correctly. Any other error
// is about how it was called.
type failure struct{ error }

// Unwrap gives the cause to errors.As.
func (f failure) Unwrap() error { return f.error }

// app is what the commands share.
type app struct {
	Env
	socket string
	remote remote
	output outputFormat
}

// outputFormat is the value of --output.
type outputFormat string

// String implements pflag.Value.
func (o *outputFormat) String() string { return string(*o) }

// Type implements pflag.Value.
func (o *outputFormat) Type() string { return "FORMAT" }

// Set implements pflag.Value.
func (o *outputFormat) Set(s string) error {
	if s != "table" && s != "json" {
		return errors.New("want table or json")
	}
	*o = outputFormat(s)
	return nil
}

func (a *app) json() bool { return a.output == "json" }

// NewCommand returns the command tree, also for generating documentation.
func NewCommand(env Env) *cobra.Command {
	env.Width = columns(env)
	a := &app{Env: env, output: "table", remote: remoteOf(env.Getenv)}
	root := &cobra.Command{
		Use:   "nvactl",
		Short: "Show and control the routing daemon nvad",
		Long: `nvactl shows what the routing daemon nvad of this machine does, and changes it.

It talks to the daemon over a unix socket, the one of --socket or else of the
variable NVAD_SOCKET. Whoever may open the socket may look, as a rule root and
group nvad-view; changing is for root and the members of group nvad-admin. A
socket on which another user than root, nvad or the caller listens is refused.

A command that shows something may be abbreviated ("nei", "rou adv"), one that
changes something may not. "nvactl show" answers the show commands of FRR.

The daemon of another machine is reached at --address (NVAD_ADDRESS) over mutual
TLS, with --cert, --key and --ca (NVAD_CERT, NVAD_KEY, NVAD_CA); changing is for
the certificates that its configuration names in [api].`,
		Example: `  nvactl neighbors                      # sessions at a glance
  nvactl routes rejected 10.0.210.4     # what a policy kept out, and why
  nvactl routes fib -o json | jq .      # everything is there for programs, too`,
		Args:          rootArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: suggestionDistance,
	}
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.PersistentFlags().VarP(&a.output, "output", "o", "print as `FORMAT`: table or json")
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "daemon's socket `PATH` (default "+DefaultSocket+")")
	a.remote.flags(root)
	root.PersistentPreRunE = a.chooseDaemon
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddGroup(&cobra.Group{ID: groupShow, Title: "Show:"}, &cobra.Group{ID: groupChange, Title: "Change:"})
	root.AddCommand(a.statusCommand(), a.neighborsCommand(), a.routesCommand(), a.explainCommand(), a.tunnelsCommand(), a.policyCommand(), a.configCommand(),
		a.versionCommand(), a.reloadCommand(), a.confirmCommand(), a.rollbackCommand(), a.resetCommand(), a.shutdownCommand(), a.enableCommand(), a.stopCommand(),
		a.drainCommand(), a.logLevelCommand(), a.profileCommand())
	root.AddCommand(a.watchCommand(), a.topologyCommand(), a.techSupportCommand(), a.natCommand(), a.showCommand())
	return root
}

// strict makes cobra's own commands refuse words that they do not know, which
// they answer with a page of help and exit code 0.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("")
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Args, cmd.RunE = rootArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			cmd.SuggestionsMinimumDistance = suggestionDistance
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				topic, rest, _ := root.Find(args)
				return rootArgs(topic, rest)
			}
		}
	}
}

// suggestionDistance is how many letters of a mistyped command may be wrong for
// the right one to be suggested.
const suggestionDistance = 2

// Groups of commands in the help text.
const (
	groupShow   = "show"
	groupChange = "change"
)

func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(cmd, args[0])
}

// between is a check of the number of arguments that says what is wanted.
func between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		want := cmd.Use
		if cmd.HasParent() {
			want = cmd.Parent().CommandPath() + " " + want
		}
		return fmt.Errorf("wrong number of arguments, want \"%s\"", want)
	}
}

// path is where the daemon's socket is.
func (a *app) path() string {
	if a.socket != "" {
		return a.socket
	}
	if p := a.Getenv(socketVariable); p != "" {
		return p
	}
	return DefaultSocket
}

// action is the work of a command, with a connection to the daemon.
type action func(ctx context.Context, c *client, args []string) error

// run makes do the body of a command.
func (a *app) run(do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.connect(cmd.Context())
		if err != nil {
			return failure{err}
		}
		defer c.Close()
		if err := do(cmd.Context(), c, args); err != nil {
			return failure{explain(err)}
		}
		return nil
	}
}
