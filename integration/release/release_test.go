package release

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// built are the files of a release that are compiled or packed, for each architecture or once.
var built = []string{
	"nvad_" + version + "_ARCH.deb", "nvad_" + version + "_ARCH.nvad.cdx.json", "nvad_" + version + "_ARCH.nvactl.cdx.json",
	"nvad_" + version + "_ARCH.image.tar", "nvad_" + version + ".oci.tar", man,
}

const man = "nvad_" + version + "_man.tar.gz"

// changelog moves the entries of a changelog below the heading of the version, as whoever
// releases does.
func changelog(text string) string {
	return strings.Replace(text, "## Unreleased\n", "## Unreleased\n\n## "+version+" - 2026-01-31\n", 1)
}

// TestRefuses: each of these stops a release before anything is built or tagged, and a dry run
// only mentions it.
func TestRefuses(t *testing.T) {
	r := newTree(t)
	unreleased := r.read("CHANGELOG.md")
	r.write("CHANGELOG.md", changelog(unreleased))
	for _, c := range []struct{ name, before, arguments, want string }{
		{"no version", "true", "KEY=" + r.key, "VERSION must be three numbers"},
		{"two numbers", "true", "VERSION=0.1 KEY=" + r.key, "VERSION must be three numbers"},
		{"a tag's name", "true", "VERSION=v0.1.0 KEY=" + r.key, "VERSION must be three numbers"},
		{"no section", "true", "VERSION=0.2.0 KEY=" + r.key, `"## 0.2.0 - YYYY-MM-DD"`},
		{"a similar section", "sed -i 's/^## 0.1.0/## 0x1.0/' CHANGELOG.md && git commit -q -am x", "VERSION=0.1.0 KEY=" + r.key, `"## 0.1.0 - YYYY-MM-DD"`},
		{"no date", "sed -i 's/^## 0.1.0.*/## 0.1.0/' CHANGELOG.md && git commit -q -am x", "VERSION=0.1.0 KEY=" + r.key, `"## 0.1.0 - YYYY-MM-DD"`},
		{"entries left", "sed -i 's/^## Unreleased/&\\n\\n- more/' CHANGELOG.md && git commit -q -am x", "VERSION=0.1.0 KEY=" + r.key, `still has entries below "## Unreleased"`},
		{"a changed file", "echo >>README.md", "VERSION=0.1.0 KEY=" + r.key, " M README.md"},
		{"a new file", "echo >new.go", "VERSION=0.1.0 KEY=" + r.key, "?? new.go"},
		{"a tag elsewhere", "git tag v0.1.0 && git commit -q --allow-empty -m x", "VERSION=0.1.0 KEY=" + r.key, "tag v0.1.0 is on commit"},
		{"no key", "true", "VERSION=0.1.0", "KEY must be the whole fingerprint"},
		{"a short key", "true", "VERSION=0.1.0 KEY=" + r.key[:16], "KEY must be the whole fingerprint"},
		{"an unknown key", "true", "VERSION=0.1.0 KEY=" + strings.Repeat("0", 40), "GnuPG has no secret key 0000"},
	} {
		start := strings.TrimSpace(r.sh("git rev-parse HEAD"))
		r.sh(c.before)
		before := r.sh("git tag; git status --porcelain --ignored")
		out, err := r.try("make release " + c.arguments)
		if err == nil || !strings.Contains(out, c.want) || !strings.Contains(out, "release: refused: ") {
			t.Errorf("%s: %v: %s; want %s", c.name, err, out, c.want)
		}
		r.sh("rmdir dist") // it is empty
		if after := r.sh("git tag; git status --porcelain --ignored"); after != before {
			t.Errorf("%s: before:\n%s\nafter:\n%s", c.name, before, after)
		}
		r.sh("git reset -q --hard " + start + "; git clean -q -f; git tag | xargs -r git tag -d >/dev/null")
	}
}

// TestRelease makes a dry run that compiles everything anew and then, in another directory, a
// release. Both build the same bytes.
func TestRelease(t *testing.T) {
	lab.RequireCommands(t, "gpgv", "qemu-aarch64")
	dry := newTree(t)
	dry.write("CHANGELOG.md", changelog(dry.read("CHANGELOG.md")))
	real := dry.clone()
	t.Log(dry.sh("make release-dry-run FRESH=1 VERSION=" + version))
	if got := dry.sh("git tag; git status --porcelain; ls dist"); got != "release-dry-run\n" {
		t.Errorf("a dry run leaves %s", got)
	}
	t.Log(real.sh("make release VERSION=" + version + " KEY=" + real.key))
	real.sh("git tag -v v" + version)
	if got := real.sh("git describe --exact-match; ls dist"); got != "v"+version+"\nrelease\n" {
		t.Errorf("a release leaves %s", got)
	}
	real.checkSums()
	for _, arch := range []string{"amd64", "arm64"} {
		for _, name := range built {
			name = strings.ReplaceAll(name, "ARCH", arch)
			if real.read("dist/release/"+name) != dry.read("dist/release-dry-run/"+name) {
				t.Errorf("two builds of %s differ", name)
			}
		}
		real.checkPackage(arch)
	}
	if got := real.sh("tar -tzf dist/release/" + man); !strings.Contains(got, "man/nvad.8.gz\n") || !strings.Contains(got, "man/nvad.toml.5.gz\n") {
		t.Errorf("man pages: %s", got)
	}
	if notes := real.read("dist/release/CHANGES.md"); !strings.Contains(notes, "### Added") || strings.Contains(notes, "\n## ") {
		t.Errorf("notes:\n%s", notes)
	}
}

// checkSums verifies the files as docs/install.md says, and that no file is left out.
func (r *tree) checkSums() {
	r.Helper()
	const in = "cd dist/release && "
	r.sh(in + "gpgv --keyring ./nvad.gpg SHA256SUMS.asc SHA256SUMS && sha256sum --check --strict --ignore-missing SHA256SUMS")
	if got := r.sh(in + "gpg --show-keys --with-colons nvad.gpg"); !strings.Contains(got, r.key) {
		r.Errorf("the key of the release is\n%s\nwant %s", got, r.key)
	}
	if all, summed := r.sh(in+"ls | grep -v SHA256SUMS"), r.sh(in+"sed 's/^[^ ]*  //' SHA256SUMS"); all != summed {
		r.Errorf("files:\n%s\nin SHA256SUMS:\n%s", all, summed)
	}
	if out, err := r.try("cp -r dist/release broken; cd broken; echo >>SHA256SUMS; gpgv --keyring ./nvad.gpg SHA256SUMS.asc SHA256SUMS"); err == nil {
		r.Errorf("changed checksums pass: %s", out)
	}
	r.sh("rm -r broken")
}

// checkPackage: the programs are static, for this architecture, and know their version.
func (r *tree) checkPackage(arch string) {
	r.Helper()
	deb := "dist/release/nvad_" + version + "_" + arch + ".deb"
	if got := r.sh("dpkg-deb -f " + deb + " Version Architecture"); got != "Version: "+version+"\nArchitecture: "+arch+"\n" {
		r.Errorf("%s: %s", deb, got)
	}
	files := r.TempDir()
	r.sh("dpkg-deb --fsys-tarfile " + deb + " | tar -x -O ./usr/bin/nvad >program; chmod +x program")
	program := filepath.Join(files, "program")
	if err := os.Rename(filepath.Join(r.dir, "program"), program); err != nil {
		r.Fatal(err)
	}
	f, err := elf.Open(program)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			r.Errorf("%s: nvad is linked dynamically", deb)
		}
	}
	emulator := map[string]string{"arm64": "qemu-aarch64 ", "amd64": ""}[arch]
	if got := r.sh(emulator + program + " version"); f.Machine != want || !strings.Contains(got, "v"+version+" ") {
		r.Errorf("%s: for %v: %s", deb, f.Machine, got)
	}
}
