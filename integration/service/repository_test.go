package service

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/machine"
)

// next is the version of this tree where it upgrades the release before it.
const next = "9.0.0~next"

// mirror is a web server beside the machine whose content can be exchanged.
type mirror struct{ dir atomic.Value }

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// apt would go on where it has stopped before, if a file is of the same second as the last.
	for _, header := range []string{"If-Modified-Since", "If-Range", "Range"} {
		r.Header.Del(header)
	}
	http.FileServer(http.Dir(m.dir.Load().(string))).ServeHTTP(w, r)
}

// mirror starts the server at 10.0.0.1:80.
func (b *bed) mirror(dir string) *mirror {
	b.Helper()
	var l net.Listener
	err := lab.WithinNamespace(b.net.NS("far"), func() (err error) {
		l, err = net.Listen("tcp4", "10.0.0.1:80")
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	m := &mirror{}
	m.dir.Store(dir)
	go http.Serve(l, m)
	return m
}

// TestRepository installs the previous release from an apt repository, and upgrades it from
// there to this tree under traffic: no packet is lost, and the configuration stays as it is. In
// between, the repository is tampered with in every place, and apt installs nothing from it.
func TestRepository(t *testing.T) {
	t.Parallel()
	previous, version := machine.PreviousDeb(t)
	signer := machine.NewSigner(t)
	first := signer.Repository(t, previous)
	both := signer.Repository(t, previous, machine.Deb(t, next))
	b := newBed(t)
	m := b.mirror(first)
	b.CopyIn(t, filepath.Join(first, "nvad.gpg"), "/etc/apt/keyrings/nvad.gpg")
	b.Put(t, "/etc/apt/sources.list.d/nvad.sources", source(t))
	b.Sh(t, "rm /etc/apt/sources.list; apt-get update; apt-get install -y nvad")
	b.configure("")
	b.Sh(t, "cp -rp /etc/nvad /root/etc; cp -r /usr/share/doc/nvad/configs /root/configs; systemctl start nvad")
	b.converged()

	for _, c := range tampered(t, both) {
		m.dir.Store(c.dir)
		out := b.Sh(t, "(apt-get update && apt-get install -y --no-remove nvad="+next+") 2>&1 && echo installed || true")
		installed := strings.TrimSpace(b.Sh(t, "dpkg-query -W -f '${Version}' nvad"))
		if strings.Contains(out, "\ninstalled\n") || installed != version || !strings.Contains(out, c.reason) {
			t.Errorf("%s: version %s, apt does not say %q:\n%s", c.name, installed, c.reason, out)
		}
	}

	m.dir.Store(both)
	before, pid := b.forwarding(), b.pid()
	r := b.watched(func() {
		b.Sh(t, "apt-get update; apt-get install -y --only-upgrade nvad")
		b.converged()
	})
	b.lossless("upgrade from "+version, r)
	if after := b.forwarding(); after != before || b.pid() == pid {
		t.Errorf("process %s was %s; forwarding was\n%s\nis\n%s", b.pid(), pid, before, after)
	}
	if got := b.Exec(t, "nvactl", "version"); strings.Count(got, "v"+next) != 2 {
		t.Errorf("version: %s", got)
	}
	b.Sh(t, "diff -r /root/etc /etc/nvad")
	if got := b.Sh(t, "nvactl status; for file in /etc/nvad/nvad.toml /root/configs/*.toml; do nvad check $file >/dev/null 2>&1 || echo refused: $file; done"); strings.Contains(got, "refused: ") || strings.Contains(got, "onfiguration") {
		t.Errorf("configurations of %s: %s", version, got)
	}
	if v := b.neighborView(); !strings.Contains(v, "BGP state = Established") {
		t.Errorf("FRR: %s", v)
	}
}

// source returns the file that docs/install.md shows, for this mirror.
func source(t *testing.T) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?s)nvad\.sources <<'END'\n(.*?)END\n`).FindSubmatch(read(t, filepath.Join(root, "docs/install.md")))
	if text == nil {
		t.Fatal("docs/install.md shows no nvad.sources")
	}
	return strings.Replace(string(text[1]), "https://packages.example.com/nvad", "http://10.0.0.1", 1)
}

// tamperedWith is a repository that is changed in one place, and what apt says about it.
type tamperedWith struct{ name, dir, reason string }

// tampered returns copies of a repository, each changed in one place by somebody who has no
// secret key, or another one. apt accepts more of each than of the one before.
func tampered(t *testing.T, dir string) (out []tamperedWith) {
	t.Helper()
	const pool, lists, index = "pool/main/n/nvad/*.deb", "dists/stable/main/binary-*/Packages*", "dists/stable/InRelease"
	flip := func(data []byte) []byte { data[len(data)/2] ^= 1; return data }
	for _, c := range []struct {
		name, pattern, reason string
		change                func([]byte) []byte
	}{
		{"a changed index", index, "BADSIG", func(data []byte) []byte {
			return bytes.Replace(data, []byte("Origin: nvad"), []byte("Origin: davn"), 1)
		}},
		{"no signature", index, "is no longer signed", nil},
		{"a changed list of packages", lists, "Hash Sum mismatch", flip},
		// The lists are good from here on, so apt finds the new version.
		{"a changed package", pool, "Hash Sum mismatch", flip},
		{"a longer package", pool, "unexpected size", func(data []byte) []byte { return append(data, 0) }},
	} {
		to := filepath.Join(t.TempDir(), "apt")
		sh(t, "cp -r "+dir+" "+to+"; rm -r "+to+"/dists/stable/main/binary-*/by-hash") // apt then asks for the lists by name
		files, err := filepath.Glob(filepath.Join(to, c.pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no file %s: %v", c.name, c.pattern, err)
		}
		for _, file := range files {
			if c.change == nil {
				sh(t, "rm "+file+" "+filepath.Dir(file)+"/Release.gpg")
			} else if err := os.WriteFile(file, c.change(read(t, file)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, tamperedWith{c.name, to, c.reason})
	}
	debs, err := filepath.Glob(filepath.Join(dir, pool))
	if err != nil {
		t.Fatal(err)
	}
	return append([]tamperedWith{{"another key", machine.NewSigner(t).Repository(t, debs...), "NO_PUBKEY"}}, out...)
}
