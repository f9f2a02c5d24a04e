package ctl

import (
	"strings"
	"testing"
)

// The exit code says whether this NVA should carry traffic, and the output why not.
func TestHealth(t *testing.T) {
	d := hub00()
	d.At.Unhealthy = nil
	socket := serve(t, d)
	for _, c := range []struct {
		unhealthy []string
		args      []string
		out       string
		code      int
	}{
		{nil, []string{"health"}, "This NVA should carry traffic.\n", 0},
		{nil, []string{"health", "-o", "json"}, "{\n  \"healthy\": true,\n  \"reasons\": []\n}\n", 0},
		{[]string{"draining, by user alice", "tunnel vxlan0 is not up"}, []string{"health"}, "draining, by user alice\ntunnel vxlan0 is not up\n", 1},
		{[]string{"not in sync yet"}, []string{"health", "-o", "json"}, "{\n  \"healthy\": false,\n  \"reasons\": [\n    \"not in sync yet\"\n  ]\n}\n", 1},
	} {
		d.At.Unhealthy = c.unhealthy
		r := nvactl(t, socket, c.args...)
		if r.out != c.out || r.code != c.code || (r.code != 0) != strings.Contains(r.err, "should not carry traffic") {
			t.Errorf("%v with %v: code %d, printed\n%s%s", c.args, c.unhealthy, r.code, r.out, r.err)
		}
	}
	if r := nvactl(t, socket+".absent", "health"); r.out != "" || r.code != 1 {
		t.Errorf("without a daemon: code %d, printed %s", r.code, r.out)
	}
}
