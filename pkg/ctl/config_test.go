package ctl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
)

const seedFile = "../config/testdata/good/hub00-lists.toml"

func TestConfigCheck(t *testing.T) {
	r := nvactl(t, "/nonexistent", "config", "check", seedFile)
	if r.code != 0 || r.err != "" || !strings.HasSuffix(r.out, "hub00-lists.toml: ok: 3 neighbors, 1 tunnel, 1 static route\n") {
		t.Errorf("%+v", r)
	}
	bad := write(t, "bad.toml", "asn = 0\nrouter-idd = \"10.0.0.4\"\n")
	r = nvactl(t, "/nonexistent", "config", "check", bad)
	if r.code != 1 || !strings.Contains(r.err, "bad.toml:1: asn: ") || !strings.Contains(r.err, "bad.toml:2: router-idd: ") {
		t.Errorf("%+v", r)
	}
}

// TestFileJSON checks the JSON of the commands about files.
func TestFileJSON(t *testing.T) {
	var v checked
	r := nvactl(t, "/nonexistent", "config", "check", seedFile, "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || r.code != 0 || !v.OK || v.Errors == nil {
		t.Errorf("%v: %+v", err, r)
	}
	bad := write(t, "bad.toml", "asn = 0\nrouter-idd = \"10.0.0.4\"\n")
	r = nvactl(t, "/nonexistent", "config", "check", bad, "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || r.code != 1 || v.OK || len(v.Errors) != 2 ||
		v.Errors[1].Line != 2 || v.Errors[1].Key != "router-idd" || !strings.Contains(r.err, "bad.toml:2: router-idd: ") {
		t.Errorf("%v: %+v", err, r)
	}
	var c converted
	frr := write(t, "frr.conf", "hostname x\nfrr version 8.4.4\nrouter bgp 65001\n bgp router-id 10.0.0.4\n")
	r = nvactl(t, "/nonexistent", "config", "convert", frr, "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &c); err != nil || r.code != 0 || !strings.Contains(c.TOML, "asn = 65001") ||
		len(c.Leftovers) != 2 || c.Leftovers[0].Line != 1 || c.Leftovers[0].Text != "hostname x" {
		t.Errorf("%v: %+v", err, r)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigDiff(t *testing.T) {
	d := hub00()
	cfg, err := config.Load(seedFile)
	if err != nil {
		t.Fatal(err)
	}
	d.TOML = string(config.Print(cfg, true))
	socket := serve(t, d)
	if r := nvactl(t, socket, "config", "diff", seedFile); r.code != 0 || r.out != "No difference.\n" {
		t.Errorf("the same file: %+v", r)
	}
	text, err := os.ReadFile(seedFile)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `"deny 10.100.0.0/16", `, "", 1)
	changed = strings.Replace(changed, "ebgp-multihop = 255", "ebgp-multihop = 255\npassword = \"secret\"", 1)
	show(t, socket, "config-diff", "config", "diff", write(t, "new.toml", changed))
	if r := nvactl(t, socket, "config", "diff", "/nonexistent"); r.code != 1 || !strings.Contains(r.err, "/nonexistent: ") {
		t.Errorf("no file: %+v", r)
	}
}

// TestConfigConvert: the result for the seed's files is a valid configuration, and the
// leftovers go to stderr only.
func TestConfigConvert(t *testing.T) {
	const from = "../frrconf/testdata/hub00"
	r := nvactl(t, "/nonexistent", "config", "convert", from+".frr", "--vxlan-script", from+".vxlan", "--router-id", "10.0.0.4")
	if r.code != 0 {
		t.Fatalf("%+v", r)
	}
	cfg, err := config.Parse("converted.toml", []byte(r.out))
	if err != nil || len(cfg.Neighbors) != 3 || len(cfg.Tunnels) != 1 || cfg.RouterID.String() != "10.0.0.4" {
		t.Errorf("%v\n%s", err, r.out)
	}
	told, hint, _ := strings.Cut(r.err, "hint: ")
	if !strings.Contains(hint, `preset = "azure-route-server"`) {
		t.Errorf("no hint of the preset: %q", hint)
	}
	for _, l := range strings.Split(strings.TrimSpace(told), "\n") {
		if !strings.HasPrefix(l, "needs attention: FRR ") && (!strings.HasPrefix(l, from) || !strings.Contains(l, ": no meaning in nvad: ")) {
			t.Errorf("left over: %s", l)
		}
	}
	for args, want := range map[string]string{
		from + ".frr --router-id x":             `--router-id: "x" is not an IPv4 address`,
		from + ".frr --frr-version x":           `--frr-version: "x" is not a version of FRR`,
		"/nonexistent":                          "no such file",
		from + ".frr --interfaces /nonexistent": "no such file",
	} {
		if r := nvactl(t, "/nonexistent", append([]string{"config", "convert"}, strings.Fields(args)...)...); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %+v, want %q", args, r, want)
		}
	}
}

// TestConfigConvertOneFileTwice: a file that has both the interfaces and the commands for
// VXLAN is read as both.
func TestConfigConvertOneFileTwice(t *testing.T) {
	frr := write(t, "frr.conf", "router bgp 65001\n bgp router-id 10.0.0.4\n")
	both := write(t, "interfaces", "iface eth0 inet static\n  post-up ip link add vxlan0 type vxlan id 77 dev eth0 remote 10.10.0.4\n")
	r := nvactl(t, "/nonexistent", "config", "convert", frr, "--interfaces", both, "--vxlan-script", both)
	if r.code != 0 || !strings.Contains(r.out, `name = "vxlan0"`) || !strings.Contains(r.err, "the command iface") {
		t.Errorf("%+v", r)
	}
}

// TestConfigConvertWGQuick: files of wg-quick are converted with or without an frr.conf, and no key
// is printed.
func TestConfigConvertWGQuick(t *testing.T) {
	const private = "aPxGwq8zERHQ3Q1cOZFdJ+cvJX5Ka4mLN38AyYKYF10="
	wg0 := write(t, "wg0.conf", "[Interface]\nPrivateKey = "+private+"\nAddress = 10.9.0.1/30\nPostUp = ./up.sh\n"+
		"[Peer]\nPublicKey = L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q=\nEndpoint = 192.0.2.1:51820\n")
	wg1 := write(t, "wg1.conf", "[Interface]\nAddress = 10.9.0.5/30\n[Peer]\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\nEndpoint = a.example:1\n")
	frr := write(t, "frr.conf", "frr version 8.4.4\nrouter bgp 65001\n bgp router-id 10.0.0.4\n neighbor 10.9.0.2 remote-as 65002\n")
	bad := write(t, "bad.conf", "[Interface]\n[Peer]\nPublicKey = x\n")
	for _, tt := range []struct {
		args   []string
		code   int
		out    []string
		stderr string
	}{
		{[]string{"--wg-quick", wg0}, 0, []string{`name = "wg0"`, `private-key-file = "/etc/nvad/wg0.key"`}, wg0 + ":4: not supported: the command up.sh"},
		{[]string{frr, "--wg-quick", wg0, "--wg-quick", wg1}, 0, []string{"asn = 65001", `name = "wg0"`, `name = "wg1"`, `"10.9.0.2"`}, wg0 + ":2: needs attention"},
		{[]string{"--wg-quick", bad}, 1, []string{"[[tunnel]]"}, "public-key: required key is missing"},
		{[]string{"--wg-quick", "/nonexistent"}, 1, nil, "no such file"},
		{nil, 1, nil, "which file?"},
		{[]string{"--wg-quick", wg0, "--vxlan-script", wg0}, 1, nil, "which file?"},
	} {
		r := nvactl(t, "/nonexistent", append([]string{"config", "convert"}, tt.args...)...)
		for _, want := range tt.out {
			if !strings.Contains(r.out, want) {
				t.Errorf("%v: no %q: %+v", tt.args, want, r)
			}
		}
		if r.code != tt.code || !strings.Contains(r.err, tt.stderr) || strings.Contains(r.out+r.err, private) {
			t.Errorf("%v: %+v", tt.args, r)
		}
		if _, err := config.Parse("nvad.toml", []byte(r.out)); r.code == 0 && err != nil {
			t.Errorf("%v: %v", tt.args, err)
		}
	}
}

// TestConfigConvertRefused: where nvad does not accept the result, the errors are shown with
// the exit code 1, and the file is printed so that it can be corrected.
func TestConfigConvertRefused(t *testing.T) {
	frr := write(t, "frr.conf", "router bgp 65001\n bgp router-id 10.0.0.9\n neighbor 10.0.0.9 remote-as 65002\n")
	for _, format := range [][]string{nil, {"-o", "json"}} {
		r := nvactl(t, "/nonexistent", append([]string{"config", "convert", frr}, format...)...)
		if r.code != 1 || !strings.Contains(r.err, "nvad does not accept the result") || !strings.Contains(r.err, "nvad.toml:") ||
			!strings.Contains(r.out, "asn = 65001") {
			t.Errorf("%v: %+v", format, r)
		}
	}
}
