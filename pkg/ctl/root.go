// Package ctl implements the command nvactl, by which people and scripts look at
// nvad and change what it does.
//
// Promise: tables fit the width of the terminal, 80 columns where there is none; JSON
// has every key, in the same order, whatever the values are, except that what Azure left
// out of an answer is left out; a failure is one line on standard error and exit code 1.
// The package knows the daemon by its gRPC interface only, and Azure by package arm only.
// Commands that need no daemon, such as config check and policy test, call the
// packages of which the daemon consists. It keeps no state.
package ctl

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/nvad/nvad/pkg/azure/arm"
)

// DefaultSocket is the daemon's socket unless its configuration names another.
const DefaultSocket = "/run/nvad/nvad.sock"

// socketVariable overrides DefaultSocket in the environment.
const socketVariable = "NVAD_SOCKET"

// Env holds everything that nvactl takes from its surroundings.
type Env struct {
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
	Now    func() time.Time
	Width  int // columns; 0: those of the terminal behind Out, else 80

	// azure makes the client of Azure; nil: package arm's.
	azure func(context.Context, arm.Options) (azureClient, error)
	// deadline bounds the time that each NVA of a site has; 0: siteDeadline.
	deadline time.Duration
}

// SystemEnv returns the environment of the process.
func SystemEnv() Env {
	return Env{Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Now: time.Now}
}

// Run executes nvactl with args, without the program's name, and returns its exit
// code.
func Run(ctx context.Context, env Env, args []string) int {
	env.Width = columns(env) // before the buffer hides the terminal
	out := bufio.NewWriterSize(env.Out, 64<<10)
	env.Out = out
	cmd := NewCommand(env)
	strict(cmd)
	cmd.SetArgs(args)
	called, err := cmd.ExecuteContextC(ctx)
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = failure{flushErr}
	}
	if err == nil {
		return 0
	}
	if listed, ok := errors.AsType[faults](err); ok {
		fmt.Fprintln(env.Err, printable(listed.Error()))
	} else if failed, ok := errors.AsType[failure](err); ok {
		fmt.Fprintf(env.Err, "nvactl: %s\n", printable(failed.Error()))
	} else {
		fmt.Fprintf(env.Err, "nvactl: %s (see %s --help)\n", misused(err), called.CommandPath())
	}
	return 1
}

// faults are the errors of a configuration file, one a line as nvad check prints
// them: each begins with its place in the file.
type faults struct{ error }

// failure is the error of a command that was called correctly. Any other error is
// about the call, and Run points to the help.
type failure struct{ error }

// failed marks the error of a command that was called correctly, if there is one.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return failure{err}
}

// Unwrap gives the cause to errors.As.
func (f failure) Unwrap() error { return f.error }

// app holds the values that all commands share.
type app struct {
	Env
	socket string
	remote remote
	site   string // path of the file that names the NVAs; empty: the command is for one
	output choice
}

// choice is a flag with a few allowed values.
type choice struct {
	value   string
	allowed []string
}

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Type implements pflag.Value. The manual shows the default of a string in quotes, which
// only no default needs.
func (c *choice) Type() string {
	if c.value == "" {
		return "string"
	}
	return "word"
}

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return errors.New("want " + oneOf(c.allowed))
	}
	c.value = s
	return nil
}

func (a *app) json() bool { return a.output.value == "json" }

// NewCommand returns the command tree. Run executes it; others generate the
// documentation from it.
func NewCommand(env Env) *cobra.Command {
	env.Width = columns(env)
	a := &app{Env: env, site: env.Getenv(siteVariable), output: choice{"table", []string{"table", "json"}}, remote: remoteOf(env.Getenv)}
	root := group(&cobra.Command{
		Use:   "nvactl",
		Short: "Show and control the routing daemon nvad",
		Long: `nvactl shows the state of the routing daemon nvad on this machine, and changes
it.

It connects to the daemon's unix socket: the one of --socket, or else of the
variable NVAD_SOCKET. Whoever may open the socket may look, by default root and
the members of group nvad-view. Changes need root or group nvad-admin. nvactl
refuses a socket on which a user other than root, nvad or the caller listens.

You may abbreviate a command that shows something ("nei", "rou adv"), but not
one that changes something. "nvactl show" accepts the show commands of FRR.

To reach the daemon of another machine, use --address (NVAD_ADDRESS) with
--cert, --key and --ca (NVAD_CERT, NVAD_KEY, NVAD_CA): the connection uses
mutual TLS. Changes need a certificate that the daemon's configuration names in
[api].

To ask several NVAs at once, name them in a file and use --site (NVAD_SITE) with
one of: ` + siteCommands + `.`,
		Example: `  nvactl neighbors                      # sessions at a glance
  nvactl routes rejected 10.0.210.4     # what a policy rejected, and why
  nvactl routes fib -o json | jq .      # every command has JSON for programs`,
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.PersistentFlags().VarP(&a.output, "output", "o", "print as `FORMAT`: table or json")
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "daemon's socket `PATH` (default "+DefaultSocket+")")
	a.remote.flags(root)
	a.siteFlag(root)
	root.PersistentPreRunE = a.chooseDaemon
	completeFixed(root, "output", a.output.allowed...)
	root.AddGroup(&cobra.Group{ID: groupShow, Title: "Show:"}, &cobra.Group{ID: groupChange, Title: "Change:"})
	addTo(root, groupShow, a.statusCommand(), a.healthCommand(), a.neighborsCommand(), a.routesCommand(), a.explainCommand(), a.tunnelsCommand(), a.natCommand(),
		a.topologyCommand(), a.siteDiffCommand(), a.webCommand(), a.azureCommand(), a.watchCommand(), a.eventsCommand(), a.policyCommand(), a.configCommand(), a.showCommand(), a.versionCommand(), a.techSupportCommand(),
		a.profileCommand())
	addTo(root, groupChange, a.reloadCommand(), a.confirmCommand(), a.rollbackCommand(), a.resetCommand(), a.shutdownCommand(), a.enableCommand(),
		a.drainCommand(), a.stopCommand(), a.logLevelCommand())
	return root
}

// Groups of commands in the help text.
const (
	groupShow   = "show"
	groupChange = "change"
)

func addTo(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.GroupID = group
	}
	root.AddCommand(commands...)
}

// suggestionDistance is the number of wrong letters up to which a mistyped command
// gets a suggestion.
const suggestionDistance = 2

// group makes cmd a command that only holds others: it prints its help, and refuses
// words that are none of its subcommands.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.Args, cmd.RunE = rootArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.SuggestionsMinimumDistance = suggestionDistance
	cmd.AddCommand(subs...)
	return cmd
}

// strict prepares the tree for execution: it adds cobra's own commands and makes them
// refuse unknown words, which by default they answer with a page of help and exit code
// 0; it gives every command the check of its arguments, and its abbreviations.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("")
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			group(cmd)
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				topic, rest, _ := root.Find(args)
				return rootArgs(topic, rest)
			}
		}
	}
	// Abbreviations are aliases for cobra, too many to list in the help. A template of
	// our own would leave them out, too, but calls methods by name, so that the linker
	// keeps every method of every type: 3 MB.
	usage := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		aliases := cmd.Aliases
		cmd.Aliases = nil
		defer func() { cmd.Aliases = aliases }()
		return usage(cmd)
	})
	checkAndAbbreviate(root)
}

func checkAndAbbreviate(cmd *cobra.Command) {
	if cmd.Args == nil {
		cmd.Args = usageArgs
	}
	abbreviate(cmd)
	for _, sub := range cmd.Commands() {
		checkAndAbbreviate(sub)
	}
}

func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(cmd, args[0])
}

// usageArgs checks the number of arguments against the usage line, where each of them is
// a word, in brackets if it may be missing, and with dots if it may be repeated. If the
// command has a list of arguments, it takes no others.
func usageArgs(cmd *cobra.Command, args []string) error {
	words, _, _ := strings.Cut(cmd.Use, " --") // flags that must be given
	most := len(strings.Fields(words)) - 1
	if len(args) > most && !strings.HasSuffix(words, "...") || len(args) < most-strings.Count(words, "[") {
		return wrongNumber(cmd)
	}
	for _, arg := range args {
		if len(cmd.ValidArgs) > 0 && !slices.Contains(cmd.ValidArgs, arg) {
			return fmt.Errorf("invalid argument %q: want %s", arg, oneOf(cmd.ValidArgs))
		}
	}
	return nil
}

// misused returns the text of a usage error, with what a number must be in place of the
// words of the package that parses it.
func misused(err error) string {
	number, ok := errors.AsType[*strconv.NumError](err)
	if !ok {
		return err.Error()
	}
	want := "want a whole number"
	switch {
	case errors.Is(number, strconv.ErrRange):
		want = "the number is too large"
	case number.Func == "ParseBool":
		want = "want true or false"
	case number.Func == "ParseUint":
		want = "want a whole number from 0"
	}
	return strings.Replace(err.Error(), number.Error(), want, 1)
}

func wrongNumber(cmd *cobra.Command) error {
	want := cmd.Use
	if cmd.HasParent() {
		want = cmd.Parent().CommandPath() + " " + want
	}
	return fmt.Errorf("wrong number of arguments, want \"%s\"", want)
}

// path returns the path of the daemon's socket.
func (a *app) path() string { return cmp.Or(a.socket, a.Getenv(socketVariable), DefaultSocket) }

// action does the work of a command over a connection to the daemon.
type action func(ctx context.Context, c *client, args []string) error

// run returns the body of a command that connects to the daemon and calls do.
func (a *app) run(do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return failed(a.ask(cmd.Context(), func(c *client) error { return do(cmd.Context(), c, args) }))
	}
}

// ask connects to the daemon and calls do.
func (a *app) ask(ctx context.Context, do func(*client) error) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return plainError(do(c))
}

// offline returns the body of a command that needs no daemon.
func (a *app) offline(do func(args []string) error) func(*cobra.Command, []string) error {
	return func(_ *cobra.Command, args []string) error { return failed(do(args)) }
}

// done confirms a change that the daemon has made.
func (a *app) done(r proto.Message, err error, format string, args ...any) error {
	return answer(a, r, err, func(proto.Message) { line(a.Out, fmt.Sprintf(format, args...)) })
}
