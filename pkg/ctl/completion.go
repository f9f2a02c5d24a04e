package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// fullNames returns args with each abbreviated command written out. An abbreviation
// must be the beginning of exactly one command that shows something. A command that
// changes something needs its full name: "re" must not reset a session because
// somebody meant something else.
//
// Cobra's EnablePrefixMatching would also expand "rel" to "reload", and reports an
// ambiguous prefix as an unknown command.
func fullNames(root *cobra.Command, args []string) ([]string, error) {
	args = slices.Clone(args)
	if n := len(args); n > 1 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		_, err := expand(root, args[1:n-1]) // the last word is the one to complete
		return args, err
	}
	return expand(root, args)
}

// expand writes the abbreviated commands out in place.
func expand(root *cobra.Command, args []string) ([]string, error) {
	cmd := root
	for i := 0; cmd.HasSubCommands(); i++ {
		if i = nextWord(cmd, args, i); i == len(args) {
			break
		}
		if cmd == root && args[i] == "help" {
			continue // what follows is a command, too
		}
		next, err := named(cmd, args[i])
		if next == nil {
			return args, err
		}
		args[i] = next.Name()
		cmd = next
	}
	return args, nil
}

// nextWord returns the index of the first word of args, from start, that is neither a
// flag nor the value of one.
func nextWord(cmd *cobra.Command, args []string, start int) int {
	for i := start; i < len(args); i++ {
		word := args[i]
		switch {
		case word == "--":
			return len(args)
		case !strings.HasPrefix(word, "-") || word == "-":
			return i
		case takesValue(cmd, word):
			i++
		}
	}
	return len(args)
}

// takesValue reports whether the value of a flag is the word after it.
func takesValue(cmd *cobra.Command, word string) bool {
	flags := cmd.Flags()
	flags.AddFlagSet(cmd.InheritedFlags())
	flags.AddFlagSet(cmd.PersistentFlags())
	name, long := strings.CutPrefix(word, "--")
	if long {
		f := flags.Lookup(name)
		return f != nil && f.NoOptDefVal == ""
	}
	if len(word) != 2 {
		return false
	}
	f := flags.ShorthandLookup(word[1:])
	return f != nil && f.NoOptDefVal == ""
}

// named returns the subcommand of cmd that word names or abbreviates; nil if word is an
// argument or names none.
func named(cmd *cobra.Command, word string) (*cobra.Command, error) {
	var like []*cobra.Command
	for _, c := range cmd.Commands() {
		switch {
		case c.Name() == word || c.HasAlias(word):
			return c, nil
		case c.IsAvailableCommand() && !changes(c) && strings.HasPrefix(c.Name(), word):
			like = append(like, c)
		}
	}
	switch {
	case word == "" || len(like) == 0 || isPlace(word):
		return nil, nil
	case len(like) == 1:
		return like[0], nil
	}
	names := make([]string, len(like))
	for i, c := range like {
		names[i] = c.Name()
	}
	slices.Sort(names)
	return nil, fmt.Errorf("several commands begin with %q: %s", word, strings.Join(names, ", "))
}

// isPlace reports whether a word is an address or a prefix.
func isPlace(word string) bool {
	_, err := netip.ParseAddr(word)
	return err == nil || strings.ContainsAny(word, "/.:")
}

// changing marks a command outside of groupChange that changes something.
var changing = map[string]string{"changes": "true"}

// changes reports whether a command changes anything.
func changes(c *cobra.Command) bool {
	return c.GroupID == groupChange || c.Annotations["changes"] != ""
}

// unknownCommand returns the error for a word that is no subcommand of cmd. It never
// suggests a command that changes something: somebody might follow the suggestion
// without a second look and stop the daemon.
func unknownCommand(cmd *cobra.Command, word string) error {
	needsFullName := false
	for _, c := range cmd.Commands() {
		needsFullName = needsFullName || changes(c) && strings.HasPrefix(c.Name(), word)
	}
	if needsFullName {
		return fmt.Errorf("unknown command %q: a command that changes something needs its full name", word)
	}
	for _, like := range cmd.SuggestionsFor(word) {
		if c, err := named(cmd, like); err == nil && c != nil && !changes(c) {
			return fmt.Errorf("unknown command %q, did you mean %s?", word, like)
		}
	}
	return fmt.Errorf("unknown command %q", word)
}

// completionTime bounds the time that a shell waits for a daemon that does not answer.
const completionTime = time.Second

// completeNeighbors offers the addresses of the daemon's neighbors for the first
// argument.
func (a *app) completeNeighbors(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client) (out []cobra.Completion, err error) {
		r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
		for _, n := range r.GetNeighbors() {
			out = append(out, cobra.CompletionWithDesc(n.GetAddress(), n.GetDescription()))
		}
		return out, err
	})
}

// completeNeighborFlags offers the same addresses for flags of cmd.
func (a *app) completeNeighborFlags(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, s string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return a.completeNeighbors(cmd, nil, s)
		})
	}
}

// completeFixed offers fixed words for a flag.
func completeFixed(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeTunnels offers the names of the daemon's tunnels for the first argument.
func (a *app) completeTunnels(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client) (out []cobra.Completion, err error) {
		r, err := c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{})
		for _, t := range r.GetTunnels() {
			out = append(out, t.GetName())
		}
		return out, err
	})
}

// completeVersions offers the configurations in the history for the first argument.
func (a *app) completeVersions(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client) (out []cobra.Completion, err error) {
		r, err := c.read.ListConfigs(ctx, &nvadv1.ListConfigsRequest{})
		for _, v := range r.GetVersions() {
			out = append(out, cobra.CompletionWithDesc(fmt.Sprint(v.GetVersion()), causeOf(v)+": "+v.GetResult()))
		}
		return out, err
	})
}

// maxOffered bounds how many prefixes are offered.
const maxOffered = 64

// completePrefixes offers the prefixes of the table of req that begin with the argument.
// It asks the daemon only for prefixes within the complete octets that were typed, and
// stops after the first maxOffered.
func (a *app) completePrefixes(req *nvadv1.ListRoutesRequest) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.complete(cmd, args, func(ctx context.Context, c *client) ([]cobra.Completion, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			q := proto.CloneOf(req)
			q.Prefix = octetsOf(typed)
			q.Longer = q.Prefix != ""
			var out []cobra.Completion
			stream, err := c.read.ListRoutes(ctx, q)
			err = receive(stream, err, func(m *nvadv1.ListRoutesResponse) error {
				for _, p := range m.GetPaths() {
					if prefix := p.GetPrefix(); strings.HasPrefix(prefix, typed) && !slices.Contains(out, prefix) {
						out = append(out, prefix)
					}
				}
				if len(out) >= maxOffered {
					return errEnough
				}
				return nil
			})
			if errors.Is(err, errEnough) {
				err = nil
			}
			return out, err
		})
	}
}

// errEnough ends a stream that has sent enough.
var errEnough = errors.New("enough")

// octetsOf returns the IPv4 prefix of the complete octets with which an address begins:
// 10.0.0.0/8 for "10.1". It is empty if there is none.
func octetsOf(typed string) string {
	parts := strings.Split(typed, ".")
	whole := parts[:len(parts)-1]
	if len(whole) == 0 || len(whole) > 3 {
		return ""
	}
	addr := strings.Join(whole, ".") + strings.Repeat(".0", 4-len(whole))
	p, err := netip.ParsePrefix(fmt.Sprintf("%s/%d", addr, 8*len(whole)))
	if err != nil {
		return ""
	}
	return p.String()
}

// complete asks the daemon, and offers nothing if there is none.
func (a *app) complete(cmd *cobra.Command, args []string, ask func(context.Context, *client) ([]cobra.Completion, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	c, err := a.connect(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	out, err := ask(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return harmless(out), cobra.ShellCompDirectiveNoFileComp
}

// harmless drops candidates that a shell might interpret, and reduces descriptions to
// one printable line. The texts of the daemon end up on the command line of whoever
// presses Tab, who may be root.
func harmless(list []cobra.Completion) []cobra.Completion {
	var out []cobra.Completion
	for _, c := range list {
		word, description, _ := strings.Cut(c, "\t")
		_, notPrefix := netip.ParsePrefix(word)
		if word == "" || strings.HasPrefix(word, "-") || notPrefix != nil && strings.ContainsFunc(word, special) {
			continue
		}
		description = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
			if strings.ContainsRune("$`\\\"'", r) {
				return ' '
			}
			return r
		}, printable(description))), " ")
		out = append(out, cobra.CompletionWithDesc(word, description))
	}
	return out
}

// special reports whether a character has no place in the name of a neighbor, a
// tunnel or a version.
func special(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".:%_-", r))
}
