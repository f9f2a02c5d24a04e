package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nvad/nvad/pkg/site"
)

// siteVariable names a file of a site in the environment.
const siteVariable = "NVAD_SITE"

// siteCommands are the commands that ask every NVA of a site.
const siteCommands = "status, neighbors, tunnels, explain, events, diff, topology -o svg, web"

// forSites marks a command that can ask every NVA of a site.
var forSites = map[string]string{"site": "true"}

// errOneNVA refuses a site for a command that could do harm, or say something false, if
// it took one NVA for all.
var errOneNVA = errors.New("this command asks one NVA, and --site (NVAD_SITE) names several: give --socket or --address " +
	"(commands for a site: " + siteCommands + ")")

func (a *app) siteFlag(root *cobra.Command) {
	root.PersistentFlags().StringVar(&a.site, "site", a.site, "`FILE` that names the NVAs of a site, to ask them all")
}

// chooseSite decides whether the command is for a site. --socket and --address take
// precedence over the environment. A command that needs no daemon ignores the
// environment, but refuses the flag.
func (a *app) chooseSite(cmd *cobra.Command) error {
	one := a.socket != "" || cmd.Flags().Changed("address")
	switch {
	case !cmd.Flags().Changed("site"):
		if one {
			a.site = ""
		}
	case one:
		return errors.New("use either --site, or --socket or --address")
	case cmd.Annotations["site"] == "":
		return errOneNVA
	}
	return nil
}

// orSite returns the body of a command that asks all NVAs of a site, or one. What selects
// something within one NVA, an optional argument or a flag of the command, is refused for
// a site.
func (a *app) orSite(all func(ctx context.Context, args []string) error, one action) func(*cobra.Command, []string) error {
	alone := a.run(one)
	return func(cmd *cobra.Command, args []string) error {
		if a.site == "" {
			return alone(cmd, args)
		}
		selected := ""
		if len(args) > 0 && strings.Contains(cmd.Use, "[") {
			selected = args[0]
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Changed {
				selected = "--" + f.Name
			}
		})
		if selected != "" {
			return fmt.Errorf("%s with --site shows all NVAs: leave out %s, or ask one NVA with --socket or --address", cmd.Name(), selected)
		}
		return failed(all(cmd.Context(), args))
	}
}

// member is an NVA that is asked.
type member struct {
	name string // empty: the only one, without a site
	door door
}

// mostOfSite bounds what all NVAs of a site may answer together, in bytes. Each has an
// equal share, of each answer and of all messages of a stream.
const mostOfSite = 256 << 20

// members returns the NVAs of the site; without a site, the one that other commands
// connect to.
func (a *app) members() ([]member, error) {
	if a.site == "" {
		return []member{{door: a.door()}}, nil
	}
	s, err := site.Read(a.site)
	if err != nil {
		return nil, faults{err}
	}
	list := make([]member, len(s.NVAs))
	share := min(mostOfSite/len(list), largestAnswer)
	for i, n := range s.NVAs {
		list[i] = member{n.Name, door{n.Socket, remote{n.Address, n.TLS.Cert, n.TLS.Key, n.TLS.CA}, share}}
	}
	return list, nil
}

// siteDeadline bounds the time that each NVA has to connect and to answer. All have it at
// the same time.
const siteDeadline = 10 * time.Second

// reply is the answer of an NVA, or the reason why there is none.
type reply[T any] struct {
	nva    string
	answer T
	err    error
}

// gather asks the NVAs side by side. The replies are in the order of the NVAs.
func gather[T any](ctx context.Context, deadline time.Duration, members []member, ask func(context.Context, *client) (T, error)) []reply[T] {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	replies := make([]reply[T], len(members))
	var asked sync.WaitGroup
	for i, m := range members {
		asked.Go(func() {
			r := &replies[i]
			r.nva = m.name
			if r.answer, r.err = askOne(ctx, m, ask); r.err != nil && ctx.Err() == context.DeadlineExceeded {
				r.err = fmt.Errorf("no answer within %s", deadline)
			}
		})
	}
	asked.Wait()
	return replies
}

func askOne[T any](ctx context.Context, m member, ask func(context.Context, *client) (T, error)) (answer T, err error) {
	c, err := m.door.connect(ctx)
	if err != nil {
		return answer, err
	}
	defer c.Close()
	answer, err = ask(ctx, c)
	return answer, plainError(err)
}

// askSite asks every NVA of the site and prints the replies. It returns an error if one
// did not answer.
func askSite[T any](ctx context.Context, a *app, ask func(context.Context, *client) (T, error), print func([]reply[T])) error {
	members, err := a.members()
	if err != nil {
		return err
	}
	replies := gather(ctx, cmp.Or(a.deadline, siteDeadline), members, ask)
	print(replies)
	return silent(replies)
}

// silent returns an error that names the NVAs that did not answer; nil if all did.
func silent[T any](replies []reply[T]) error {
	var names []string
	for _, r := range replies {
		if r.err != nil {
			names = append(names, r.nva)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %s did not answer: %s", len(names), count(len(replies), "NVA"), strings.Join(names, ", "))
}
