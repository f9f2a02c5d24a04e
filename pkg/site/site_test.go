package site

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "site.toml")
	text := `
[tls]
cert = "alice.pem"
key = "/keys/alice.key"
ca = "ca.pem"

[[nva]]
name = "hub00-a"
address = "10.0.0.4:8178"

[[nva]]
name = "hub00-b"
address = "[fd00::5]:8178"
ca = "other.pem"

[[nva]]
name = "here"
socket = "run/nvad.sock"
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := &Site{NVAs: []NVA{
		{Name: "hub00-a", Address: "10.0.0.4:8178", TLS: TLS{dir + "/alice.pem", "/keys/alice.key", dir + "/ca.pem"}},
		{Name: "hub00-b", Address: "[fd00::5]:8178", TLS: TLS{dir + "/alice.pem", "/keys/alice.key", dir + "/other.pem"}},
		{Name: "here", Socket: dir + "/run/nvad.sock"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := Read(filepath.Join(dir, "none.toml")); err == nil || err.Error() != dir+"/none.toml: no such file or directory" {
		t.Errorf("got %v", err)
	}
}

// TestFaults: every fault has its place, and says what is wanted.
func TestFaults(t *testing.T) {
	nva := func(lines string) string { return "[[nva]]\nname = \"a\"\n" + lines }
	many := ""
	for i := range MaxNVAs + 1 {
		many += fmt.Sprintf("[[nva]]\nname = \"n%d\"\nsocket = \"%d\"\n", i, i)
	}
	for text, want := range map[string]string{
		"":                                     `site.toml:1: nva: the file names no NVA; add a table [[nva]]`,
		"nva = 1":                              `site.toml:1: nva: want an array of tables ([[nva]]), got 1`,
		"[[nvas]]\nname = \"a\"":               `site.toml:1: nvas: unknown key (did you mean "nva"?)`,
		"[[nva]]\nsocket = \"s\"":              `site.toml:1: nva[1].name: required key is missing`,
		nva(""):                                `site.toml:1: nva.a: the NVA has neither socket nor address`,
		nva("socket = \"\""):                   `site.toml:3: nva.a.socket: want a string that is not empty`,
		nva("address = \"10.0.0.4\""):          `site.toml:3: nva.a.address: want HOST:PORT, got "10.0.0.4"`,
		nva("address = \"h:0\""):               `site.toml:3: nva.a.address: want HOST:PORT, got "h:0"`,
		nva("address = \"h:1\""):               `site.toml:3: nva.a.address: an address needs cert, key and ca, here or in [tls]`,
		nva("address = \"h:1\"\nsocket=\"s\""): `site.toml:3: nva.a.address: the NVA has socket and address; remove one`,
		nva("socket = \"s\"\nca = \"c\""):      `site.toml:1: nva.a: cert, key and ca are for an address; the NVA has a socket`,
		nva("sokcet = \"s\""):                  `site.toml:3: nva.a.sokcet: unknown key (did you mean "socket"?)`,
		nva("socket = \"s\"\n") + nva("socket = \"t\""):                       `site.toml:5: nva[2].name: two NVAs have the name "a"`,
		nva("socket = \"s\"\n") + "[[nva]]\nname = \"b\"\nsocket = \"s\"":     `site.toml:6: nva.b.socket: s is a already`,
		"[[nva]]\nname = \"a\\u001b[31m\"\nsocket = \"s\"":                    `site.toml:2: nva.a` + "\x1b" + `[31m.name: want at most 32 letters, digits, dots, hyphens and underscores, got "a\x1b[31m"`,
		"[[nva]]\nname = \"" + strings.Repeat("x", 33) + "\"\nsocket = \"s\"": `site.toml:2: nva.` + strings.Repeat("x", 33) + `.name: want at most 32 letters, digits, dots, hyphens and underscores, got "` + strings.Repeat("x", 33) + `"`,
		many:                           `site.toml:1: nva: 65 NVAs; a site has at most 64`,
		strings.Repeat("#", MaxSize+1): `site.toml: the file is larger than 256 KiB`,
	} {
		if _, err := parse("site.toml", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.60q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}
