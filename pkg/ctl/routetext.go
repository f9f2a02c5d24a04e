package ctl

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// routeGrammar is what parseRoute reads.
const routeGrammar = `PREFIX [as-path "N N ..."] [next-hop ADDRESS] [med N] [local-pref N]
  [origin igp|egp|incomplete] [community "N:N ..."]
  [large-community "N:N:N ..."] [ext-community "rt N:N, ..."]`

// routeKeys set one attribute each from its text.
var routeKeys = map[string]func(a *route.Attrs, text string) error{
	"as-path": func(a *route.Attrs, text string) (err error) {
		a.ASPath, err = route.ParseASPath(text)
		return err
	},
	"next-hop": func(a *route.Attrs, text string) (err error) {
		if a.NextHop, err = netip.ParseAddr(text); err != nil || a.NextHop.Zone() != "" {
			return fmt.Errorf("%q is not an address", text)
		}
		return nil
	},
	"med":        func(a *route.Attrs, text string) error { return parseOptional(&a.MED, text) },
	"local-pref": func(a *route.Attrs, text string) error { return parseOptional(&a.LocalPref, text) },
	"origin":     parseOrigin,
	"community": func(a *route.Attrs, text string) (err error) {
		a.Communities, err = parseList(strings.Fields(text), route.ParseCommunity)
		a.Communities = route.SortedSet(a.Communities)
		return err
	},
	"large-community": func(a *route.Attrs, text string) (err error) {
		a.LargeCommunities, err = parseList(strings.Fields(text), route.ParseLargeCommunity)
		slices.SortFunc(a.LargeCommunities, route.LargeCommunity.Compare)
		a.LargeCommunities = slices.Compact(a.LargeCommunities)
		return err
	},
	"ext-community": func(a *route.Attrs, text string) (err error) {
		a.ExtCommunities, err = parseList(strings.Split(text, ","), route.ParseExtCommunity)
		a.ExtCommunities = route.SortedSet(a.ExtCommunities)
		return err
	},
}

// parseRoute reads a route as --route takes it.
func parseRoute(text string) (netip.Prefix, route.Attrs, error) {
	var a route.Attrs
	words, err := splitQuoted(text)
	if err != nil {
		return netip.Prefix{}, a, err
	}
	if len(words) == 0 {
		return netip.Prefix{}, a, errors.New("no route given, want\n  " + routeGrammar)
	}
	prefix, err := netip.ParsePrefix(words[0])
	if err != nil {
		return prefix, a, fmt.Errorf("%q is not a prefix, want\n  %s", words[0], routeGrammar)
	}
	given := map[string]bool{}
	for rest := words[1:]; len(rest) > 0; rest = rest[2:] {
		set := routeKeys[rest[0]]
		switch {
		case given[rest[0]]:
			return prefix, a, fmt.Errorf("%s is given twice", rest[0])
		case set == nil:
			return prefix, a, fmt.Errorf("%q is not a key of a route, want\n  %s", rest[0], routeGrammar)
		case len(rest) == 1:
			return prefix, a, fmt.Errorf("%s has no value", rest[0])
		}
		if err := set(&a, rest[1]); err != nil {
			return prefix, a, fmt.Errorf("%s: %w", rest[0], err)
		}
		given[rest[0]] = true
	}
	return prefix.Masked(), a, nil
}

// splitQuoted splits at spaces that are not between quotes.
func splitQuoted(text string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		quote := rest[0]
		if quote != '"' && quote != '\'' {
			end := strings.IndexAny(rest+" ", " \t")
			words, rest = append(words, rest[:end]), rest[end:]
			continue
		}
		end := strings.IndexByte(rest[1:], quote)
		if end < 0 {
			return nil, fmt.Errorf("%s is not closed by a quote", rest)
		}
		words, rest = append(words, rest[1:1+end]), rest[end+2:]
	}
	return words, nil
}

func parseOptional(o *route.Optional, text string) error {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not a number from 0 to 4294967295", text)
	}
	*o = route.Some(uint32(n))
	return nil
}

func parseOrigin(a *route.Attrs, text string) error {
	for _, o := range []route.Origin{route.OriginIGP, route.OriginEGP, route.OriginIncomplete} {
		if o.String() == text {
			a.Origin = o
			return nil
		}
	}
	return fmt.Errorf("%q is not an origin (want igp, egp or incomplete)", text)
}

func parseList[T any](words []string, parse func(string) (T, error)) ([]T, error) {
	var out []T
	for _, w := range words {
		v, err := parse(strings.TrimSpace(w))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
