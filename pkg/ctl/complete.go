package ctl

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// completionTime is how long a shell may hang on a daemon that does not answer.
const completionTime = time.Second

// completeNeighbors offers the addresses of the daemon's neighbors for the
// first argument.
func (a *app) completeNeighbors(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client) ([]cobra.Completion, error) {
		r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
		var out []cobra.Completion
		for _, n := range r.GetNeighbors() {
			out = append(out, cobra.CompletionWithDesc(n.GetAddress(), n.GetDescription()))
		}
		return out, err
	})
}

// completeTunnels offers the names of the daemon's tunnels for the first
// argument.
func (a *app) completeTunnels(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client) ([]cobra.Completion, error) {
		r, err := c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{})
		var out []cobra.Completion
		for _, t := range r.GetTunnels() {
			out = append(out, t.GetName())
		}
		return out, err
	})
}

// complete asks the daemon; without one there is nothing to offer.
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

// harmless leaves of candidates those that mean nothing to a shell, and of their
// descriptions one line that can be printed. What the daemon sends ends up in the
// command line of whoever presses Tab, who may be root.
func harmless(list []cobra.Completion) []cobra.Completion {
	var out []cobra.Completion
	for _, c := range list {
		word, description, _ := strings.Cut(c, "\t")
		if word == "" || strings.HasPrefix(word, "-") || strings.ContainsFunc(word, special) {
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
