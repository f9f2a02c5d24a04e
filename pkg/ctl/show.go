package ctl

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// showCommand answers the commands of people who are used to vtysh.
func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show WORD...",
		Short: "Answer a show command of FRR",
		Long: `Answer a show command of FRR with the command of nvactl that shows the same, and
name that command on stderr. Words may be abbreviated; "json" at the end means
--output json. docs/from-frr.md has the list.`,
		Example: `  nvactl show bgp summary
  nvactl show ip bgp neighbors 10.0.210.4 advertised-routes
  nvactl sh ip route`,
		Args: func(cmd *cobra.Command, args []string) error {
			_, err := translate(args)
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[len(args)-1] == "json" {
				a.output.value = "json"
			}
			words, err := translate(args)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "This is: nvactl %s\n", printable(strings.Join(words, " ")))
			return become(cmd, words)
		},
	}
}

// become runs another command of the tree in place of cmd.
func become(cmd *cobra.Command, words []string) error {
	target, rest, err := cmd.Root().Find(words)
	if err != nil {
		return err
	}
	target.SetContext(cmd.Context())
	if err := target.ParseFlags(rest); err != nil {
		return err
	}
	args := target.Flags().Args()
	if err := target.ValidateArgs(args); err != nil {
		return err
	}
	return target.RunE(target, args)
}

// frrCommands maps the show commands of FRR, without "show", to those of nvactl. X
// stands for an address, P for an address or prefix, C for a word, R for all words to
// the end.
var frrCommands = []struct{ theirs, ours string }{
	{"bgp", "routes"},
	{"bgp P", "routes P"},
	{"bgp P longer-prefixes", "routes P --longer"},
	{"bgp summary", "neighbors"},
	{"bgp neighbors", "neighbors"},
	{"bgp neighbors X", "neighbors X"},
	{"bgp neighbors X advertised-routes", "routes advertised X"},
	{"bgp neighbors X received-routes", "routes received X"},
	{"bgp neighbors X filtered-routes", "routes rejected X"},
	{"bgp neighbors X routes", "routes accepted X"},
	{"bgp community C", "routes --community C"},
	{"bgp large-community C", "routes --community C"},
	{"bgp regexp R", "routes --as-path R"},
	{"ip route", "routes fib"},
	{"ip route X", "routes lookup X"},
	{"ip route P", "explain P"},
	{"bfd peers", "neighbors"},
	{"evpn vni", "tunnels"},
	{"interface", "topology"},
	{"running-config", "config show"},
	{"version", "version"},
}

// translate returns the command of nvactl for a show command of FRR.
func translate(words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, errors.New("nvactl needs no \"show\": try nvactl neighbors or nvactl routes")
	}
	if n := len(words) - 1; n > 0 && words[n] == "json" {
		words = words[:n]
	}
	for _, s := range frrCommands {
		if values, ok := matches(strings.Fields(s.theirs), bare(words)); ok {
			return replaced(strings.Fields(s.ours), values), nil
		}
	}
	return nil, fmt.Errorf("nvactl has no answer to \"show %s\"", strings.Join(words, " "))
}

// bare drops the words that select an address family: nvad shows both in one table.
func bare(words []string) []string {
	out := slices.Clone(words)
	if out[0] == "ipv6" {
		out[0] = "ip"
	}
	if len(out) > 1 && out[0] == "ip" && abbreviates(out[1], "bgp") {
		out = out[1:]
	}
	for len(out) > 1 && abbreviates(out[0], "bgp") && slices.Contains([]string{"ipv4", "ipv6", "unicast", "all"}, out[1]) {
		out = slices.Delete(out, 1, 2)
	}
	return out
}

// matches reports whether words, which may be abbreviated, match pattern. It returns the
// words for X, P, C and R.
func matches(pattern, words []string) (values map[string]string, ok bool) {
	values = map[string]string{}
	for i, p := range pattern {
		if i >= len(words) {
			return nil, false
		}
		switch _, notAddr := netip.ParseAddr(words[i]); {
		case p == "R":
			values[p] = strings.Join(words[i:], " ")
			return values, true
		case p == "X" && notAddr == nil, p == "P" && isPlace(words[i]), p == "C":
			values[p] = words[i]
		case !abbreviates(words[i], p):
			return nil, false
		}
	}
	return values, len(words) == len(pattern)
}

// abbreviates reports whether word is full or the beginning of it.
func abbreviates(word, full string) bool { return word != "" && strings.HasPrefix(full, word) }

func replaced(words []string, values map[string]string) []string {
	for i, w := range words {
		if v, ok := values[w]; ok {
			words[i] = v
		}
	}
	return words
}
