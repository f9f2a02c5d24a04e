package ctl

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The offline steps of docs/from-frr.md, with the seed's files: what the page
// says nvactl answers is what it answers.
func TestFromFRRPage(t *testing.T) {
	data, err := os.ReadFile("../../docs/from-frr.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(data)), " ")
	const from = "../frrconf/testdata/hub00"
	converted := nvactl(t, "/nonexistent", "config", "convert", from+".frr", "--vxlan-script", from+".vxlan", "--router-id", "10.0.0.4")
	if converted.code != 0 {
		t.Fatalf("%+v", converted)
	}
	file := write(t, "nvad.toml", converted.out)
	checked := nvactl(t, "/nonexistent", "config", "check", file)
	position := regexp.MustCompile(`(?m)^.*nvad\.toml:\d+: `)
	told := 0
	for _, line := range strings.Split(checked.out, "\n") {
		if text := position.ReplaceAllString(line, ""); strings.HasPrefix(text, "as-path-list.bogon-asns") {
			told++
			if !strings.Contains(page, text) {
				t.Errorf("the page does not quote %q", text)
			}
		}
	}
	if checked.code != 0 || told != 2 {
		t.Errorf("%d warnings of the bogon pattern: %+v", told, checked)
	}
	routes := regexp.MustCompile(`nvactl policy test -c nvad.toml --neighbor (\S+) --direction (\S+) --route '([^']+)'`).FindAllStringSubmatch(page, -1)
	if len(routes) == 0 {
		t.Error("the page tries no routes")
	}
	for _, m := range routes {
		r := nvactl(t, "/nonexistent", "policy", "test", "-c", file, "--neighbor", m[1], "--direction", m[2], "--route", m[3])
		if r.code != 0 || !strings.Contains(r.out, "accepted") && !strings.Contains(r.out, "Advertised") {
			t.Errorf("%s: %+v", m[0], r)
		}
	}
}
