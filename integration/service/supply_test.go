package service

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// checkSBOM compares the SBOM beside a package with the build information of the program in
// it: both must list the same modules and the same Go release.
func checkSBOM(t *testing.T, deb, program string) {
	t.Helper()
	var bom struct {
		BOMFormat  string
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(read(t, sbomOf(deb, program)), &bom); err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, c := range bom.Components {
		listed[c.Name] = c.Version
	}
	path := filepath.Join(t.TempDir(), program)
	sh(t, "dpkg-deb --fsys-tarfile "+deb+" | tar -xO ./usr/bin/"+program+" >"+path)
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || len(listed) != len(info.Deps)+1 || listed["std"] != info.GoVersion {
		t.Errorf("%s: %s with %d components, Go %s; want %d and %s", program, bom.BOMFormat, len(listed), listed["std"], len(info.Deps)+1, info.GoVersion)
	}
	for _, dep := range info.Deps {
		if listed[dep.Path] != dep.Version {
			t.Errorf("%s: %s is %q, want %s", program, dep.Path, listed[dep.Path], dep.Version)
		}
	}
}

// sbomOf returns the name of the SBOM file for a program of a package.
func sbomOf(deb, program string) string {
	return strings.TrimSuffix(deb, ".deb") + "." + program + ".cdx.json"
}

// TestVuln runs packaging/vuln.sh against several databases. One without entries passes. One
// that has a vulnerability in a function that pkg/bfd calls fails. One that is invalid or
// unreachable does not count as a pass.
func TestVuln(t *testing.T) {
	lab.RequireCommands(t, "git")
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	run := func(env ...string) (string, int) {
		cmd := exec.Command(filepath.Join(root, "packaging/vuln.sh"), "./pkg/bfd")
		cmd.Env = append(os.Environ(), env...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, step := range []struct {
		name, says string
		env        string
		code       int
	}{
		{"no entry", "No vulnerabilities found", "VULNDB=" + vulnDB(t, ""), 0},
		{"an entry", "GO-2026-0001", "VULNDB=" + vulnDB(t, "golang.org/x/sys"), 3},
		{"no database", "is not a copy of", "VULNDB=" + t.TempDir(), 1},
		{"out of reach", "nothing was checked", "https_proxy=http://127.0.0.1:1", 77},
	} {
		if out, code := run(step.env); code != step.code || !strings.Contains(out, step.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", step.name, code, step.code, step.says, out)
		}
	}
}

// vulnDB writes a database in which every version of a module has a vulnerability in the
// function Recvmsg of its package unix. Without a module, the database is empty.
func vulnDB(t *testing.T, module string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"index/db.json": `{"modified":"2026-01-01T00:00:00Z"}`, "index/modules.json": "[]", "index/vulns.json": "[]"}
	if module != "" {
		const entry = `{"id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z"}`
		files["index/modules.json"] = fmt.Sprintf(`[{"path":%q,"vulns":[%s]}]`, module, entry)
		files["index/vulns.json"] = fmt.Sprintf("[%s]", entry)
		files["ID/GO-2026-0001.json"] = fmt.Sprintf(`{"schema_version":"1.3.1","id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z",
			"published":"2026-01-01T00:00:00Z","summary":"A made-up fault","details":"For a test.",
			"database_specific":{"url":"https://pkg.go.dev/vuln/GO-2026-0001"},"affected":[{"package":{"name":%q,"ecosystem":"Go"},
			"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],
			"ecosystem_specific":{"imports":[{"path":%q,"symbols":["Recvmsg"]}]}}]}`, module, module+"/unix")
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.TrimSpace([]byte(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
