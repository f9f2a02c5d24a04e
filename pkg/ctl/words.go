package ctl

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// fullNames returns args with each abbreviated command written out. An abbreviation
// stands for a command that shows something, if no other such command begins with
// it. A command that changes something needs its full name: "re" must not restart a
// session because somebody meant something else.
//
// Cobra has EnablePrefixMatching for this, which would also reach "reload" by "rel",
// and takes an ambiguous prefix for an unknown command.
func fullNames(root *cobra.Command, args []string) ([]string, error) {
	args = slices.Clone(args)
	if n := len(args); n > 1 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		_, err := expand(root, args[1:n-1]) // the last word is the one to complete
		return args, err
	}
	return expand(root, args)
}

// expand is fullNames in place.
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

// nextWord is the index of the first word of args, from start, that is neither a
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

// named returns the subcommand of cmd that word names or abbreviates; nil if it is
// an argument, or there is none.
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
	return nil, fmt.Errorf("%q is short for several commands: %s", word, strings.Join(names, ", "))
}

// isPlace reports whether a word is an address or a prefix.
func isPlace(word string) bool {
	_, err := netip.ParseAddr(word)
	return err == nil || strings.ContainsAny(word, "/.:")
}

// changing marks a command that changes something, outside of group groupChange.
var changing = map[string]string{"changes": "true"}

// changes reports whether a command changes anything.
func changes(c *cobra.Command) bool {
	return c.GroupID == groupChange || c.Annotations["changes"] != ""
}

// unknownCommand is the error for a word that is no subcommand of cmd. It proposes
// nothing that changes something: who follows a proposal without a second look must
// not have stopped the daemon.
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
