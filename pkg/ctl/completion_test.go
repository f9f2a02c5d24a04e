package ctl

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestAbbreviations: commands that show something may be abbreviated, also after flags.
func TestAbbreviations(t *testing.T) {
	socket := serve(t, hub00())
	for short, full := range map[string]string{
		"nei":                  "neighbors",
		"nei 10.0.210.4":       "neighbors 10.0.210.4",
		"-o json nei":          "neighbors -o json",
		"rou adv 10.0.210.4":   "routes advertised 10.0.210.4",
		"ro 10.100.0.0/16":     "routes 10.100.0.0/16",
		"conf sh":              "config show",
		"con hist -ojson":      "config history -o json",
		"tun vxlan0":           "tunnels vxlan0",
		"help rou adv":         "help routes advertised",
		"st":                   "status",
		"route rec 10.0.210.4": "routes received 10.0.210.4",
		"exp 10.100.0.0/16":    "explain 10.100.0.0/16",
	} {
		t.Run(short, func(t *testing.T) {
			got, want := nvactl(t, socket, strings.Fields(short)...), nvactl(t, socket, strings.Fields(full)...)
			if got != want || got.code != 0 {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
	r := nvactl(t, socket, "__complete", "rou", "adv", "")
	if !strings.HasPrefix(r.out, "10.0.210.4\t") {
		t.Errorf("completion after an abbreviation: %s", r.out)
	}
}

// TestNoAbbreviationChanges: no abbreviation runs a command that changes something, and
// no mistyped word gets one as a suggestion.
func TestNoAbbreviationChanges(t *testing.T) {
	d := hub00()
	socket := serve(t, d)
	root := NewCommand(SystemEnv())
	strict(root)
	var all func(c *cobra.Command, path []string)
	all = func(c *cobra.Command, path []string) {
		for _, sub := range c.Commands() {
			words := append(path[:len(path):len(path)], sub.Name())
			all(sub, words)
			if !changes(sub) {
				continue
			}
			for i := 1; i < len(sub.Name()); i++ {
				args := append(path[:len(path):len(path)], sub.Name()[:i], "10.0.210.4")
				if found, _, _ := root.Find(args); found == sub {
					t.Errorf("%v reaches %s", args, sub.CommandPath())
				}
			}
			name := sub.Name()
			for i := range name {
				for _, typo := range []string{name[:i] + name[i+1:], name[:i] + "x" + name[i:]} {
					r := nvactl(t, socket, append(path[:len(path):len(path)], typo)...)
					if strings.Contains(r.err, "did you mean "+name) {
						t.Errorf("%s: %s", typo, r.err)
					}
				}
			}
		}
	}
	all(root, nil)
	if did := d.Commands(); len(did) > 0 {
		t.Errorf("did %q", did)
	}
	for args, want := range map[string]string{
		"re":              `unknown command "re": a command that changes something needs its full name (see nvactl --help)`,
		"shut 10.0.210.4": `unknown command "shut": a command that changes something needs its full name (see nvactl --help)`,
		"config rest":     `unknown command "rest": a command that changes something needs its full name (see nvactl config --help)`,
		"stopp":           `unknown command "stopp" (see nvactl --help)`,
		"clear bgp":       `unknown command "clear" (see nvactl --help)`,
		"n":               `several commands begin with "n": nat, neighbors (see nvactl --help)`,
		"rou r 10.0.0.4":  `several commands begin with "r": received, rejected (see nvactl routes --help)`,
	} {
		t.Run(args, func(t *testing.T) { wantError(t, nvactl(t, socket, strings.Fields(args)...), want) })
	}
}

// TestFRRWords: nvactl answers show commands of FRR, and names its own command.
func TestFRRWords(t *testing.T) {
	socket := serve(t, hub00())
	for theirs, ours := range map[string]string{
		"show bgp summary":                                           "neighbors",
		"show bgp summary json":                                      "neighbors -o json",
		"show ip bgp summary":                                        "neighbors",
		"sh ip bgp su":                                               "neighbors",
		"show bgp ipv4 unicast summary":                              "neighbors",
		"show ip bgp":                                                "routes",
		"show bgp ipv4 unicast":                                      "routes",
		"show ip bgp 10.100.0.0/16":                                  "routes 10.100.0.0/16",
		"show bgp neighbors 10.0.210.4":                              "neighbors 10.0.210.4",
		"show ip bgp neighbors 10.0.210.4 advertised-routes":         "routes advertised 10.0.210.4",
		"show ip bgp nei 10.0.210.4 adv":                             "routes advertised 10.0.210.4",
		"show bgp ipv4 unicast neighbors 10.0.210.4 received-routes": "routes received 10.0.210.4",
		"show bgp neighbors 10.0.210.4 filtered-routes":              "routes rejected 10.0.210.4",
		"show bgp neighbors 10.0.210.4 routes":                       "routes accepted 10.0.210.4",
		"show bgp 10.100.0.4":                                        "routes 10.100.0.4",
		"show bgp 10.0.0.0/8 longer-prefixes":                        "routes 10.0.0.0/8 --longer",
		"show ip bgp regexp _12076_":                                 "routes --as-path _12076_",
		"show bgp community no-export":                               "routes --community no-export",
		"show ip route":                                              "routes fib",
		"show ip route 10.110.0.4":                                   "routes lookup 10.110.0.4",
		"show ip route 10.110.0.0/16":                                "explain 10.110.0.0/16",
		"show bfd peers":                                             "neighbors",
		"show run":                                                   "config show",
		"show version":                                               "version",
	} {
		t.Run(theirs, func(t *testing.T) {
			got, want := nvactl(t, socket, strings.Fields(theirs)...), nvactl(t, socket, strings.Fields(ours)...)
			if got.code != 0 || got.out != want.out || got.err != "This is: nvactl "+strings.TrimSuffix(ours, " -o json")+"\n" {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
	for args, want := range map[string]string{
		"show ip ospf": `nvactl has no answer to "show ip ospf" (see nvactl show --help)`,
		"show":         `nvactl needs no "show": try nvactl neighbors or nvactl routes (see nvactl show --help)`,
		"show ip bgp neighbors 10.0.210.9 advertised-routes extra": `nvactl has no answer to "show ip bgp neighbors 10.0.210.9 advertised-routes extra" (see nvactl show --help)`,
	} {
		t.Run(args, func(t *testing.T) { wantError(t, nvactl(t, socket, strings.Fields(args)...), want) })
	}
}

// TestFromFRRPage runs the offline steps of docs/from-frr.md with the seed's files, and
// compares the answers with those on the page.
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
