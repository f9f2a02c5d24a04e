package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/azure/arm"
	"github.com/nvad/nvad/pkg/telemetry"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs d on a socket of its own and returns the path. The daemon ends with the test,
// or on nvactl stop.
func serve(t *testing.T, d *apitest.Daemon) string {
	t.Helper()
	return apitest.Serve(t, d, telemetry.BuildInfo{Version: "v1.2.3", Commit: "4f2a9c1d0e7b", GoVersion: "go1.25.0"})
}

// result holds the output and exit code of a run of nvactl.
type result struct {
	out, err string
	code     int
}

// nvactl runs the command against the daemon at socket, in 80 columns and at the time of
// the data in apitest.
func nvactl(t *testing.T, socket string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{
		Out: &out, Err: &errs, Width: defaultWidth,
		Now: func() time.Time { return apitest.Now },
		Getenv: func(key string) string {
			if key == socketVariable {
				return socket
			}
			return ""
		},
		azure: noAzure,
	}
	code := Run(context.Background(), env, args)
	return result{out.String(), errs.String(), code}
}

// noAzure keeps tests away from the metadata service of the machine that they run on.
func noAzure(context.Context, arm.Options) (azureClient, error) {
	return nil, errors.New("no Azure in this test")
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// fits fails if a line is wider than a terminal or ends in a space.
func fits(t *testing.T, text string) {
	t.Helper()
	for _, l := range strings.Split(text, "\n") {
		if n := utf8.RuneCountInString(l); n > defaultWidth {
			t.Errorf("%d columns: %s", n, l)
		}
		if strings.HasSuffix(l, " ") {
			t.Errorf("space at the end: %q", l)
		}
	}
}

// show checks the table and the JSON of one command.
func show(t *testing.T, socket, name string, args ...string) {
	t.Helper()
	table := nvactl(t, socket, args...)
	if table.code != 0 || table.err != "" {
		t.Fatalf("exit code %d: %s", table.code, table.err)
	}
	fits(t, table.out)
	golden(t, name+".txt", table.out)

	structured := nvactl(t, socket, append(args, "-o", "json")...)
	if structured.code != 0 || structured.err != "" {
		t.Fatalf("json: exit code %d: %s", structured.code, structured.err)
	}
	if !json.Valid([]byte(structured.out)) {
		t.Error("not valid JSON")
	}
	golden(t, name+".json", structured.out)
}

// TestShow prints everything about the NVA in hub00.
func TestShow(t *testing.T) {
	socket := serve(t, hub00())
	for name, args := range map[string]string{
		"status":            "status",
		"neighbors":         "neighbors",
		"neighbor-ebgp":     "neighbors 10.0.210.4",
		"neighbor-ibgp":     "neighbors 169.254.0.2",
		"routes":            "routes",
		"routes-prefix":     "routes 10.100.0.0/16",
		"routes-address":    "routes 10.100.0.4",
		"routes-longer":     "routes 10.0.0.0/8 --longer",
		"routes-as-path":    "routes --as-path _12076_ --neighbor 10.0.210.5",
		"routes-received":   "routes received 10.0.210.4",
		"routes-accepted":   "routes accepted 169.254.0.2",
		"routes-rejected":   "routes rejected 10.0.210.4",
		"routes-advertised": "routes advertised 10.0.210.4",
		"policy-hits":       "policy hits 169.254.0.2",
		"routes-none":       "routes rejected 169.254.0.2",
		"fib":               "routes fib",
		"tunnels":           "tunnels",
		"tunnel":            "tunnels vxlan0",
		"config":            "config show",
		"nat":               "nat",
		"config-expanded":   "config show --expanded",
		"config-file":       "config show --expanded ../../configs/hub00.toml",
		"config-history":    "config history",
	} {
		t.Run(name, func(t *testing.T) { show(t, socket, name, strings.Fields(args)...) })
	}
}

// TestShowUnusual prints a dual-stack NVA on a bad day.
func TestShowUnusual(t *testing.T) {
	socket := serve(t, badDay())
	for name, args := range map[string]string{
		"bad-status":         "status",
		"bad-neighbors":      "neighbors",
		"bad-neighbor-down":  "neighbors 192.168.0.2",
		"bad-neighbor-limit": "neighbors fd00:10:0:210::4",
		"bad-neighbor-admin": "neighbors 2001:db8:ffff:ffff:ffff:ffff:ffff:fffe",
		"bad-routes":         "routes",
		"bad-routes-held":    "routes advertised 192.168.0.2",
		"bad-routes-marked":  "routes --community no-export",
		"bad-routes-prefix":  "routes 203.0.113.0/24",
		"bad-fib":            "routes fib",
		"bad-fib-failed":     "routes fib --failed",
		"bad-tunnel-peers":   "tunnels vxlan0",
		"bad-tunnels":        "tunnels",
		"bad-tunnel":         "tunnels vxlan1",
	} {
		t.Run(name, func(t *testing.T) { show(t, socket, name, strings.Fields(args)...) })
	}
}

// TestShowWireGuard prints tunnels of WireGuard: one in the kernel, one whose peer is silent, and one
// that nvad encrypts and whose peer has not called yet.
func TestShowWireGuard(t *testing.T) {
	d := hub00()
	d.Devices = append(d.Devices, wireguardTunnels()...)
	socket := serve(t, d)
	for name, args := range map[string]string{
		"wireguard-tunnels":  "tunnels",
		"wireguard-up":       "tunnels wg0",
		"wireguard-silent":   "tunnels wg1",
		"wireguard-unknown":  "tunnels wg2",
		"wireguard-topology": "topology",
	} {
		t.Run(name, func(t *testing.T) { show(t, socket, name, strings.Fields(args)...) })
	}
}

// TestHelp: the help of every command fits, and has an example.
func TestHelp(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		t.Run(c.CommandPath(), func(t *testing.T) {
			r := nvactl(t, "", append(strings.Fields(c.CommandPath())[1:], "--help")...)
			if r.code != 0 || r.err != "" {
				t.Fatalf("exit code %d: %s", r.code, r.err)
			}
			fits(t, r.out)
			if !c.HasSubCommands() && c.Example == "" {
				t.Error("no example")
			}
			if strings.Contains(r.out, "Aliases") {
				t.Error("lists abbreviations")
			}
		})
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(NewCommand(SystemEnv()))
}
