package engine

import (
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// policyText is a neighbor's policy in one line.
func policyText(c policy.Chain, external bool) string {
	var parts []string
	for _, p := range []struct{ key, name string }{
		{"deny-asns", bogonText(c.DenyASNs)},
		{"prefix-list", c.PrefixList},
		{"as-path-list", c.ASPathList},
		{"route-map", c.RouteMap},
	} {
		if p.name != "" {
			parts = append(parts, p.key+" "+p.name)
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case c.Accept:
		return "accept"
	case external:
		return "deny all (no policy, RFC 8212)"
	}
	return "deny all (no policy)"
}

func bogonText(b policy.Bogons) string {
	var names []string
	if b&policy.Reserved != 0 {
		names = append(names, "reserved")
	}
	if b&policy.Private != 0 {
		names = append(names, "private")
	}
	return strings.Join(names, "+")
}
