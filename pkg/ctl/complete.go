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

// maxOffered is how many prefixes a shell is offered at most.
const maxOffered = 64

// completePrefixes offers prefixes that begin as the argument does, those of the
// table that req asks for. The daemon is asked only for what lies within the whole
// octets that were typed, and no longer than for the first of them.
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

// errEnough ends a table that has given enough.
var errEnough = errors.New("enough")

// octetsOf is the IPv4 prefix of the whole octets that an address begins with: of
// "10.1" it is 10.0.0.0/8. It is empty if there is none.
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
