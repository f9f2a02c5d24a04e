package ctl

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/api/apitest"
)

// TestExplain: the stories that a real table tells of hub00's routes.
func TestExplain(t *testing.T) {
	socket := serve(t, apitest.Hub00())
	for name, args := range map[string]string{
		"explain":           "explain 10.110.0.0/16",
		"explain-decision":  "explain 10.100.0.0/16",
		"explain-refused":   "explain 10.10.0.0/16",
		"explain-rejected":  "explain 192.0.2.0/24",
		"explain-pending":   "explain 198.51.100.0/24",
		"explain-static":    "explain 10.0.210.0/24",
		"explain-absent":    "explain 10.110.7.0/24",
		"explain-malformed": "explain 10.120.0.0/16",
		"lookup-tunnel":     "routes lookup 10.110.0.4",
		"lookup-flood":      "routes lookup 10.110.0.5",
		"lookup-connected":  "routes lookup 10.0.0.7",
		"lookup-local":      "routes lookup 10.0.0.4",
		"lookup-blackhole":  "routes lookup 10.20.0.1",
		"lookup-none":       "routes lookup 10.30.0.1",
	} {
		t.Run(name, func(t *testing.T) { show(t, socket, name, strings.Fields(args)...) })
	}
}

func TestExplainErrors(t *testing.T) {
	socket := serve(t, apitest.Hub00())
	for args, want := range map[string]string{
		"explain 10.110.0.4":                        `"10.110.0.4" is not a prefix`,
		"explain 10.110.0.0/16 --neighbor 10.9.9.9": "neighbor 10.9.9.9 is not configured",
		"explain 10.110.0.0/16 --export-to nobody":  `"nobody" is not an address of a neighbor`,
		"routes lookup 10.110.0.0/16":               `"10.110.0.0/16" is not an address`,
		"explain":                                   "wrong number of arguments",
	} {
		if r := nvactl(t, socket, strings.Fields(args)...); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %d %q, want %q", args, r.code, r.err, want)
		}
	}
}
