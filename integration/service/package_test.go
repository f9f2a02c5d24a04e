package service

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/machine"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// TestPackage builds the package twice and looks into it. The second build takes place
// elsewhere, from files with another date and mode.
func TestPackage(t *testing.T) {
	lab.RequireCommands(t, "make", "dpkg-deb", "shellcheck")
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	first := machine.Deb(t, "1.0.0")
	elsewhere, dist := t.TempDir(), t.TempDir()
	defer syscall.Umask(syscall.Umask(0o077))
	sh(t, "tar -C "+root+" --exclude=./.git --exclude=./bin --exclude=./dist -c . | tar -C "+elsewhere+" -x --touch --no-same-permissions")
	second := machine.BuildDeb(t, elsewhere, dist, "1.0.0")
	if !bytes.Equal(read(t, first), read(t, second)) {
		t.Errorf("two builds differ: %s", sh(t, "cmp "+first+" "+second+" || true"))
	}
	for _, program := range []string{"nvad", "nvactl"} {
		if !bytes.Equal(read(t, sbomOf(first, program)), read(t, sbomOf(second, program))) {
			t.Errorf("two SBOMs of %s differ", program)
		}
		checkSBOM(t, first, program)
	}

	files := t.TempDir()
	sh(t, "dpkg-deb -R "+first+" "+files)
	// Azure's SDK is 3.6 MB of nvactl; as a part of nvad it would be in every start of the
	// daemon (ADR 0020). More than this means that the linker keeps what nobody calls.
	for name, most := range map[string]int64{"nvad": 25.5e6, "nvactl": 22e6} {
		path := filepath.Join(files, "usr/bin", name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", name, info.Size())
		if info.Size() >= most {
			t.Errorf("%s has %d bytes, want fewer than %d", name, info.Size(), most)
		}
		if dynamic(t, path) {
			t.Errorf("%s is linked dynamically", name)
		}
		if out := sh(t, path+" version 2>&1 || true"); !strings.Contains(out, "v1.0.0") {
			t.Errorf("%s version: %s", name, out)
		}
		if strings.Contains(string(read(t, path)), root) {
			t.Errorf("%s names the directory it was built in", name)
		}
	}
	if got := string(read(t, filepath.Join(files, "DEBIAN/conffiles"))); got != "/etc/iproute2/rt_protos.d/nvad.conf\n" {
		t.Errorf("conffiles: %q", got)
	}
	checkDocuments(t, files)
	sh(t, "cd "+root+" && shellcheck "+root+"/packaging/debian/* "+root+"/packaging/machine "+root+"/integration/setup.sh "+root+"/integration/rivals/root.sh "+root+"/packaging/version.sh "+root+"/packaging/vuln.sh "+root+"/packaging/release.sh "+root+"/packaging/apt-repo.sh "+root+"/packaging/replace.sh")
}

// TestVersion checks the version that is derived from a tree's tags.
func TestVersion(t *testing.T) {
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	git := "cd " + dir + " && git -c user.name=t -c user.email=t@example.org "
	commit := git + "commit -q --allow-empty -m x"
	sh(t, "mkdir "+dir+"/packaging && cp "+root+"/packaging/version.sh "+dir+"/packaging/ && cd "+dir+" && git init -q && git add packaging")
	last := ""
	for _, step := range []struct{ do, want string }{
		{commit, "0.0.0+1.g*"},
		{commit, "0.0.0+2.g*"},
		{git + "tag v1.2.0", "1.2.0"},
		{commit, "1.2.0+1.g*"},
		{"echo '# more' >>" + dir + "/packaging/version.sh", "1.2.0+1.g*+dirty"},
		{git + "commit -q -a -m x && cd " + dir + " && git tag v1.2.1", "1.2.1"},
	} {
		sh(t, step.do)
		got := strings.TrimSpace(sh(t, dir+"/packaging/version.sh"))
		if ok, err := filepath.Match(step.want, got); !ok || err != nil {
			t.Errorf("version %q, want %s", got, step.want)
		}
		if last != "" {
			sh(t, "dpkg --compare-versions "+last+" lt "+got)
		}
		last = got
	}
}

// dynamic reports whether an executable asks for a dynamic linker.
func dynamic(t *testing.T, path string) bool {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sh runs a line of shell on the host and returns its output.
func sh(t *testing.T, line string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", line)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// TestReference: docs/cli.md contains the commands' help.
func TestReference(t *testing.T) {
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	now := filepath.Join(t.TempDir(), "cli.md")
	sh(t, "cd "+root+" && go run -buildvcs=false ./packaging/docs -markdown "+now)
	if !bytes.Equal(read(t, now), read(t, filepath.Join(root, "docs/cli.md"))) {
		t.Error("docs/cli.md differs from the commands' help: run make docs")
	}
}
