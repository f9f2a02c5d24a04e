package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/api/apitest/pki"
)

// siteFile writes a file with an NVA for each name and lines that say where it is.
func siteFile(t *testing.T, nvas ...[2]string) string {
	t.Helper()
	text := ""
	for _, n := range nvas {
		text += fmt.Sprintf("[[nva]]\nname = %q\n%s\n", n[0], n[1])
	}
	path := filepath.Join(ownDirectory(t), "site.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func socketOf(path string) string { return fmt.Sprintf("socket = %q", path) }

// mute returns the socket of a daemon that accepts connections and never says a word.
func mute(t *testing.T) string {
	t.Helper()
	path := filepath.Join(ownDirectory(t), "mute.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return path
}

// askingSite runs nvactl for a site, with little patience.
func askingSite(t *testing.T, file string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{Out: &out, Err: &errs, Width: defaultWidth, Now: func() time.Time { return apitest.Now }, azure: noAzure, deadline: time.Second,
		Getenv: func(name string) string { return map[string]string{siteVariable: file}[name] }}
	code := Run(context.Background(), env, args)
	return result{out.String(), errs.String(), code}
}

// TestSite asks NVAs over sockets and TLS, of which some do not answer.
func TestSite(t *testing.T) {
	d := newTLSDaemon(t)
	cert, key := d.theirs.Issue(pki.Leaf{Name: "alice"})
	file := siteFile(t, [2]string{"hub00-a", socketOf(serve(t, hub00()))}, [2]string{"hub00-b", socketOf("/nonexistent/nvad.sock")},
		[2]string{"hub10-a", fmt.Sprintf("address = %q\ncert = %q\nkey = %q\nca = %q", d.address, cert, key, d.ours.Path)},
		[2]string{"hub10-b", socketOf(serve(t, badDay()))}, [2]string{"mute", socketOf(mute(t))})
	for _, name := range []string{"status", "neighbors", "tunnels"} {
		t.Run(name, func(t *testing.T) {
			r := askingSite(t, file, name)
			wantError(t, r, "2 of 5 NVAs did not answer: hub00-b, mute")
			fits(t, r.out)
			golden(t, "site-"+name+".txt", r.out)
			r = askingSite(t, file, name, "-o", "json")
			var list []map[string]json.RawMessage
			if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 5 || r.code != 1 {
				t.Fatalf("%v: %s", err, r.out)
			}
			for i, o := range list {
				if dead := string(o["error"]) != "null"; dead != (i == 1 || i == 4) || dead != (string(o[name]) == "null") || len(o) != 3 {
					t.Errorf("got %s", o)
				}
			}
			if got := string(list[4]["error"]); got != `"no answer within 1s"` {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestSiteRefused: a site is for nothing that changes an NVA, or that only one can answer.
func TestSiteRefused(t *testing.T) {
	d := hub00()
	socket := serve(t, d)
	file := siteFile(t, [2]string{"a", socketOf(socket)})
	for args, want := range map[string]string{
		"reload":                        errOneNVA.Error(),
		"drain":                         errOneNVA.Error(),
		"routes":                        errOneNVA.Error(),
		"stop":                          errOneNVA.Error(),
		"--site x config check x":       errOneNVA.Error() + " (see nvactl config check --help)",
		"--site x --socket y status":    "use either --site, or --socket or --address (see nvactl status --help)",
		"--site x --address h:1 status": "use either --site, or --socket or --address (see nvactl status --help)",
		"neighbors 10.0.210.4":          `neighbors with --site shows everything of all NVAs: leave out "10.0.210.4", or ask one NVA with --socket or --address (see nvactl neighbors --help)`,
	} {
		t.Run(args, func(t *testing.T) { wantError(t, askingSite(t, file, strings.Fields(args)...), want) })
	}
	if len(d.Commands()) > 0 {
		t.Errorf("the NVA was told to %s", d.Commands())
	}
	if r := askingSite(t, file, "--socket", socket, "neighbors", "10.0.210.4"); r.code != 0 {
		t.Errorf("one of them: %+v", r)
	}
	if r := askingSite(t, "/none.toml", "status"); r.code != 1 || r.err != "/none.toml: no such file or directory\n" {
		t.Errorf("no file: %+v", r)
	}
}

// TestSiteImpostor: an impostor's texts arrive printable, whatever is asked.
func TestSiteImpostor(t *testing.T) {
	file := siteFile(t, [2]string{"a", socketOf(serve(t, hub00()))}, [2]string{"b", socketOf(impostor(t))})
	for _, args := range []string{"status", "neighbors", "tunnels"} {
		for _, format := range []string{"table", "json"} {
			r := askingSite(t, file, append(strings.Fields(args), "-o", format)...)
			if r.code != 0 || strings.ContainsFunc(r.out+r.err, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }) {
				t.Errorf("%s: %d %q %q", args, r.code, r.out, r.err)
			}
		}
	}
}
