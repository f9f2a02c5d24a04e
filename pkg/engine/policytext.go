package engine

import "github.com/nvad/nvad/pkg/policy"

// policyText is a neighbor's policy in one line.
func policyText(c policy.Chain, external bool) string {
	switch {
	case c != (policy.Chain{}):
		return c.String()
	case external:
		return "deny all (no policy, RFC 8212)"
	}
	return "deny all (no policy)"
}
