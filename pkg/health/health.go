// Package health says whether this NVA should carry traffic, in words and as an
// HTTP status that a load balancer's probe understands.
//
// Promise: an answer comes from what the engine knows at the moment, without a
// walk of any table, and an engine that does not answer is not healthy. It decides
// nothing about routes and owns nothing but the last answer, for the log.
package health

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
)

// unready returns why the daemon has not finished its start; empty: it has.
func unready(v engine.Vitals) []string {
	if v.InSync {
		return nil
	}
	if len(v.Waiting) == 0 {
		return []string{"not in sync yet"}
	}
	return []string{"not in sync yet, waiting for " + join(v.Waiting)}
}

// Problems returns why this NVA should not carry traffic, by the conditions of c;
// empty: it should.
func Problems(c config.Health, v engine.Vitals) []string {
	out := unready(v)
	if !v.Drain.Since.IsZero() {
		out = append(out, "draining, by "+v.Drain.Reason)
	}
	groups := make([]string, 0, len(c.MinEstablished))
	for group := range c.MinEstablished {
		groups = append(groups, group)
	}
	slices.Sort(groups)
	for _, group := range groups {
		if have, want := v.Established[group], c.MinEstablished[group]; have < want {
			out = append(out, fmt.Sprintf("peer-group %s: %d of at least %d neighbors established", group, have, want))
		}
	}
	for _, name := range c.Tunnels {
		switch t := v.Tunnels[name]; {
		case !t.Up:
			out = append(out, fmt.Sprintf("tunnel %s is not up", name))
		case t.Neighbors > 0 && t.Established == 0:
			out = append(out, fmt.Sprintf("tunnel %s: no neighbor established over it", name))
		}
	}
	return out
}

func join(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}
