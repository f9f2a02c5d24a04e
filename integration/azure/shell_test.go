package azure

import (
	"fmt"
	"slices"
	"strings"
)

// command is a command of a shell: its words before the first option, and its options.
type command struct {
	verb    string
	options map[string][]string
}

// parseCommand reads a line as a shell and az do: quoted words, then options with values.
func parseCommand(line string) (command, error) {
	words, err := split(line)
	if err != nil {
		return command{}, err
	}
	c := command{options: map[string][]string{}}
	i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") })
	if i < 0 {
		i = len(words)
	}
	c.verb = strings.Join(words[:i], " ")
	option := ""
	for _, w := range words[i:] {
		if !strings.HasPrefix(w, "--") {
			c.options[option] = append(c.options[option], w)
			continue
		}
		if _, twice := c.options[w]; twice {
			return c, fmt.Errorf("%s is there twice: %s", w, line)
		}
		option = w
		c.options[option] = nil
	}
	return c, nil
}

// split splits a line into words. Single quotes are the only ones that it knows; a
// backslash outside of them takes the next character as it is.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, inside := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			quoted, inside = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			inside = true
		case c == ' ':
			if inside {
				words = append(words, word.String())
			}
			word.Reset()
			inside = false
		case strings.IndexByte("\"$`;&|<>(){}*?[]~#\n\t", c) >= 0:
			return nil, fmt.Errorf("%q means something to the shell: %s", c, line)
		default:
			word.WriteByte(c)
			inside = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed: %s", line)
	}
	if inside {
		words = append(words, word.String())
	}
	return words, nil
}

// usage says which options a command has: those that it needs, and all others that it may
// have. An option ends in "..." if it takes several values, in "!" if it takes none.
type usage struct {
	need, may string
}

// check compares a command's options with its usage.
func (u usage) check(c command) error {
	known := map[string]bool{}
	for _, spec := range strings.Fields(u.need + " " + u.may) {
		name := "--" + strings.TrimRight(spec, ".!")
		known[name] = true
		values, given := c.options[name]
		switch {
		case !given && slices.Contains(strings.Fields(u.need), spec):
			return fmt.Errorf("%s lacks %s", c.verb, name)
		case !given, strings.HasSuffix(spec, "...") && len(values) > 0, strings.HasSuffix(spec, "!") && len(values) == 0:
		case len(values) != 1 || strings.HasSuffix(spec, "!"):
			return fmt.Errorf("%s of %s has the values %q", name, c.verb, values)
		}
	}
	for name := range c.options {
		if !known[name] {
			return fmt.Errorf("%s has no option %s", c.verb, name)
		}
	}
	return nil
}

// text returns the value of an option; empty: it is not there.
func (c command) text(name string) string {
	if values := c.options["--"+name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// flag returns the value of an option that is true or false, and whether it is there.
func (c command) flag(name string) (value, there bool, err error) {
	switch text := c.text(name); text {
	case "":
		return false, false, nil
	case "true", "false":
		return text == "true", true, nil
	default:
		return false, true, fmt.Errorf("--%s %s: want true or false", name, text)
	}
}
