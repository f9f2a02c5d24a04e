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

// abbreviate lets each subcommand of cmd that shows something answer to every beginning
// of its name that no other such name has. A command that changes something needs its
// full name: "re" must not reset a session because somebody meant something else.
//
// Cobra's EnablePrefixMatching would also expand "rel" to "reload".
func abbreviate(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		for n := 1; n < len(sub.Name()); n++ {
			if short := sub.Name()[:n]; slices.Equal(startingWith(cmd, short), []string{sub.Name()}) {
				sub.Aliases = append(sub.Aliases, short)
			}
		}
	}
}

// startingWith returns the subcommands that show something and whose names begin with
// word; only the one that word names in full, if there is one.
func startingWith(cmd *cobra.Command, word string) (names []string) {
	for _, c := range cmd.Commands() {
		switch {
		case c.Name() == word:
			return []string{word}
		case c.IsAvailableCommand() && !changes(c) && strings.HasPrefix(c.Name(), word):
			names = append(names, c.Name())
		}
	}
	return names
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
	var risky []string
	for _, c := range cmd.Commands() {
		if changes(c) {
			risky = append(risky, c.Name())
		}
	}
	switch names := startingWith(cmd, word); {
	case len(names) > 1:
		return fmt.Errorf("several commands begin with %q: %s", word, strings.Join(names, ", "))
	case slices.ContainsFunc(risky, func(name string) bool { return strings.HasPrefix(name, word) }):
		return fmt.Errorf("unknown command %q: a command that changes something needs its full name", word)
	}
	for _, like := range cmd.SuggestionsFor(word) {
		if !slices.Contains(risky, like) {
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
	var out []cobra.Completion
	if err := a.ask(ctx, func(c *client) (err error) { out, err = ask(ctx, c); return err }); err != nil {
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
