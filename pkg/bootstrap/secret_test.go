package bootstrap

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A key is written to a file of its own for root and the daemon; the configuration refers
// to that file and does not contain the key.
func TestSecret(t *testing.T) {
	const secret = "correct horse battery staple"
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	if err := os.WriteFile(from, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := readSecret(from)
	if err != nil || string(key) != secret {
		t.Fatalf("key %q, %v", key, err)
	}
	p, err := derive(Request{Remotes: remotes(t, "10.10.0.4"), ASN: 65001, VNI: 77}, "vm", nicOf("10.0.0.4"), "eth0")
	if err != nil {
		t.Fatal(err)
	}
	if p.Key, err = keyPath(key, filepath.Join(dir, "nvad.toml")); err != nil {
		t.Fatal(err)
	}
	text, err := render(p, "nvad.toml")
	if err != nil || strings.Contains(string(text), secret) || !strings.Contains(string(text), "password-file = \""+dir+"/nva.key\"\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if err := writeKey(p.Key, key); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(p.Key)
	if data, _ := os.ReadFile(p.Key); err != nil || string(data) != secret+"\n" || st.Mode() != mode {
		t.Errorf("%q, %v, %v", data, st.Mode(), err)
	}
}

// Invalid keys are refused, without quoting them.
func TestSecretRefuses(t *testing.T) {
	for name, text := range map[string]string{"empty": "\n", "long": strings.Repeat("s3cret", 20), "lines": "s3cret\ns3cret\n"} {
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readSecret(file); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readSecret(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file is no error")
	}
}
