package frrconf

import (
	"time"

	"github.com/nvad/nvad/pkg/config"
)

// maximumPrefix takes the limit, when it warns, and what exceeding it does.
func maximumPrefix(c *converter, l *line, p *peer, args []string) outcome {
	n, ok := number(args[0])
	if !ok || n == 0 {
		return attention("%s is not a number of prefixes", args[0])
	}
	limit := config.Settings{MaximumPrefix: int(n), MaximumPrefixWarning: config.DefaultSettings().MaximumPrefixWarning,
		MaximumPrefixAction: config.ActionShutdown}
	force := false
	for words := args[1:]; len(words) > 0; words = words[1:] {
		v, isNumber := number(words[0])
		switch {
		case words[0] == "warning-only":
			limit.MaximumPrefixAction = config.ActionWarn
		case words[0] == "force":
			force = true
		case words[0] == "restart" && len(words) > 1:
			words = words[1:]
			minutes, ok := number(words[0])
			if !ok || minutes == 0 || minutes > 65535 {
				return attention("%s is not a number of minutes", words[0])
			}
			limit.MaximumPrefixRestart = time.Duration(minutes) * time.Minute
		case isNumber && v >= 1 && v <= 100:
			limit.MaximumPrefixWarning = int(v)
		default:
			return attention("%s is no option of maximum-prefix", words[0])
		}
	}
	if !force && limit.MaximumPrefixAction != config.ActionWarn {
		l.leave(attention("FRR counts the prefixes that its policy accepts, nvad all that the neighbor sends"))
	}
	return p.changeIn(c.mode.family, l, func(s *config.Settings) {
		s.MaximumPrefix, s.MaximumPrefixAction = limit.MaximumPrefix, limit.MaximumPrefixAction
		s.MaximumPrefixWarning, s.MaximumPrefixRestart = limit.MaximumPrefixWarning, limit.MaximumPrefixRestart
	})
}

func maximumPrefixOut(c *converter, l *line, p *peer, args []string) outcome {
	n, ok := number(args[0])
	if !ok || n == 0 {
		return attention("%s is not a number of prefixes", args[0])
	}
	return p.changeIn(c.mode.family, l, func(s *config.Settings) { s.MaximumPrefixOut = int(n) })
}
