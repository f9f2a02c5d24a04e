package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config"
)

const head = "asn = 65001\nrouter-id = \"10.0.0.4\"\n"

// write creates a file in the test's directory and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPasswordFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	write(t, dir, "bgp-key", "correct horse\n")
	elsewhere := write(t, t.TempDir(), "key", "battery staple \r\n")
	file := write(t, dir, "nvad.toml", head+`
[peer-group.g]
remote-asn = 65002
password-file = "bgp-key"
[[neighbor]]
address = "10.0.1.4"
peer-group = "g"
[[neighbor]]
address = "10.0.1.5"
remote-asn = 65003
password-file = "`+elsewhere+`"
[[neighbor]]
address = "10.0.1.6"
remote-asn = 65003
password = "own"
`)
	got, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg := got.cfg
	for i, want := range []string{"correct horse", "battery staple ", "own"} {
		if got := cfg.Neighbors[i].Password; got != want {
			t.Errorf("neighbor %s: %q, want %q", cfg.Neighbors[i].Address, got, want)
		}
	}
	if text := string(config.Print(cfg, false)); strings.Contains(text, "horse") || strings.Contains(text, "staple") {
		t.Errorf("printed:\n%s", text)
	}
	write(t, dir, "bgp-key", "another")
	next, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	changes := config.Diff(cfg, next.cfg)
	if len(changes) != 1 || changes[0].String() != "neighbor 10.0.1.4: password: changed (session reset)" {
		t.Errorf("a new key in the file: %v", changes)
	}
}

func TestPasswordFileErrors(t *testing.T) {
	dir := t.TempDir()
	empty, long := write(t, dir, "empty", "\n"), write(t, dir, "long", strings.Repeat("secret", 20))
	for _, c := range []struct{ file, credentials, want string }{
		{"bgp-key", "", "bgp-key is relative, and systemd has passed no credentials ($CREDENTIALS_DIRECTORY is not set)"},
		{"bgp-key", dir, dir + "/bgp-key: no such file or directory"},
		{empty, "", empty + ": the password is empty; TCP-MD5 needs 1 to 80 bytes"},
		{long, "", long + ": the password has 120 bytes, but TCP-MD5 accepts at most 80"},
		{dir, "", dir + ": is a directory"},
	} {
		t.Setenv("CREDENTIALS_DIRECTORY", c.credentials)
		file := write(t, t.TempDir(), "nvad.toml",
			head+"[[neighbor]]\naddress = \"10.0.1.4\"\nremote-asn = 65002\npassword-file = \""+c.file+"\"\n")
		want := file + ": neighbor.10.0.1.4.password-file: " + c.want
		if _, err := load(file); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// TestBFDKeyFiles: keys of BFD come from their files, for neighbors and tunnels,
// and no error shows them.
func TestBFDKeyFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	write(t, dir, "bfd-keys", "2 new\n1 old\n")
	text := head + `
[[tunnel]]
name = "vxlan0"
vni = 77
device = "eth0"
remotes = ["10.10.0.4"]
address = "169.254.0.1/24"
bfd = { key-file = "bfd-keys" }
[[neighbor]]
address = "169.254.0.2"
remote-asn = 65001
bfd = { key-file = "bfd-keys" }
`
	file := write(t, dir, "nvad.toml", text)
	got, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := config.BFDKeys{{ID: 2, Secret: "new"}, {ID: 1, Secret: "old"}}
	if got.cfg.Neighbors[0].BFD.Keys != want || got.cfg.Tunnels[0].BFD.Keys != want {
		t.Errorf("got %#v", got.cfg.Neighbors[0].BFD)
	}
	if keys := authKeys(got.cfg.Neighbors[0].BFD.Keys); len(keys) != 2 || keys[0].ID != 2 || keys[1].Secret != "old" {
		t.Errorf("in use: %v", keys)
	}
	write(t, dir, "bfd-keys", "hush")
	if _, err := load(file); err == nil || strings.Contains(err.Error(), "hush") ||
		!strings.Contains(err.Error(), "neighbor.169.254.0.2.bfd.key-file: "+filepath.Join(dir, "bfd-keys")+": line 1: want a key ID") {
		t.Errorf("got %v", err)
	}
}
