// Package pkg holds nothing but the rules between the packages below it.
package pkg

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nvad/nvad/"

// rule says which packages, besides tests, may depend on target.
type rule struct {
	target  string
	allowed []string
	why     string
}

var rules = []rule{
	{"github.com/osrg/gobgp/v4/pkg/server", []string{"pkg/speaker/gobgp", "pkg/daemon", "cmd/nvad", "cmd/nvad/command"},
		"sessions are GoBGP's, decisions are not"},
	{"github.com/vishvananda/netlink", []string{"pkg/kernel", "pkg/daemon", "cmd/nvad", "cmd/nvad/command", "pkg/speaker/gobgp"},
		"one package knows the kernel's wire format (GoBGP links this library too)"},
	{"github.com/google/nftables", []string{"pkg/kernel", "pkg/daemon", "cmd/nvad", "cmd/nvad/command"},
		"one package knows the kernel's wire format"},
	{"github.com/Azure/azure-sdk-for-go/sdk/azcore", []string{"pkg/azure/arm", "pkg/ctl", "cmd/nvactl"},
		"the daemon asks Azure nothing and holds no token of it"},
	// Package site compares answers as they arrive: types of its own would be a third copy
	// of every message.
	{module + "proto/nvad/v1", []string{"pkg/api", "pkg/api/apitest", "pkg/survey", "pkg/web", "pkg/ctl", "pkg/site", "pkg/daemon", "cmd/nvad", "cmd/nvad/command", "cmd/nvactl"},
		"generated types stay at the edge"},
}

// core packages run in a unit test without root, network or clock.
var core = []string{"pkg/azure", "pkg/route", "pkg/policy", "pkg/config", "pkg/config/tomlfile", "pkg/rib", "pkg/fib", "pkg/tunnel", "pkg/nat", "pkg/nic", "pkg/engine", "pkg/speaker", "pkg/speaker/wire", "pkg/mrt"}

var forbiddenInCore = []string{
	"github.com/osrg/gobgp", "github.com/vishvananda", "github.com/mdlayher", "github.com/google/nftables", "google.golang.org/grpc", "golang.org/x/sys/unix", module + "pkg/kernel",
	module + "pkg/daemon", module + "pkg/api",
}

func TestImportRules(t *testing.T) {
	for _, line := range list(t, "{{.ImportPath}}{{range .Deps}} {{.}}{{end}}") {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module)
		for _, r := range rules {
			if slices.Contains(fields[1:], r.target) && !slices.Contains(r.allowed, name) {
				t.Errorf("%s depends on %s: %s", name, r.target, r.why)
			}
		}
		if !slices.Contains(core, name) {
			continue
		}
		for _, dep := range fields[1:] {
			for _, f := range forbiddenInCore {
				if strings.HasPrefix(dep, f) {
					t.Errorf("core package %s depends on %s", name, dep)
				}
			}
		}
	}
}

// TestLayers holds the imports against the numbered lines of docs/architecture.md:
// each goes to an earlier line.
func TestLayers(t *testing.T) {
	layer := map[string]int{}
	for n, line := range regexp.MustCompile(`(?m)^\d+\. (`+"`"+`.*)$`).FindAllStringSubmatch(architecture(t), -1) {
		for _, name := range quoted.FindAllStringSubmatch(line[1], -1) {
			layer["pkg/"+name[1]] = n + 1
		}
	}
	for _, line := range list(t, "{{.ImportPath}}{{range .Imports}} {{.}}{{end}}") {
		fields := strings.Fields(strings.ReplaceAll(line, module, ""))
		name := fields[0]
		if !strings.HasPrefix(name, "pkg/") || forTests(name) {
			continue
		}
		if layer[name] == 0 {
			t.Errorf("%s stands in no numbered line of docs/architecture.md", name)
		}
		for _, dep := range fields[1:] {
			if strings.HasPrefix(dep, "pkg/") && layer[dep] >= layer[name] {
				t.Errorf("%s imports %s, which does not stand in an earlier line of docs/architecture.md", name, dep)
			}
		}
	}
}

// TestEveryPackageIsOnTheMap holds docs/architecture.md against the tree.
func TestEveryPackageIsOnTheMap(t *testing.T) {
	there := map[string]bool{}
	for _, name := range list(t, "{{.ImportPath}}", "./integration/...") {
		there[strings.TrimPrefix(name, module)] = true
	}
	onMap := map[string]bool{}
	for _, name := range quoted.FindAllStringSubmatch(architecture(t), -1) {
		onMap[name[1]] = true
		if dir := filepath.Join("..", name[1]); regexp.MustCompile(`^(pkg|cmd|integration)/`).MatchString(name[1]) && !strings.Contains(name[1], "*") {
			if _, err := os.Stat(dir); err != nil {
				t.Errorf("docs/architecture.md names %s, which is not there", name[1])
			}
		}
	}
	for name := range there {
		if !onMap[name] && !strings.HasPrefix(name, "proto/") && name != "cmd/nvad" && name != "cmd/nvactl" {
			t.Errorf("%s is not in docs/architecture.md", name)
		}
	}
}

var quoted = regexp.MustCompile("`([^`\n]+)`")

func architecture(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// forTests reports whether a package below pkg is for tests of others only.
func forTests(name string) bool {
	return slices.ContainsFunc([]string{"fibtest", "tunneltest", "nattest", "nictest", "apitest", "wiretest"},
		func(part string) bool { return strings.Contains(name, "/"+part) })
}

func TestEveryPackageSaysWhatItPromises(t *testing.T) {
	for _, line := range list(t, "{{.ImportPath}} {{.Dir}}") {
		name, dir, _ := strings.Cut(line, " ")
		if !documented(t, dir) {
			t.Errorf("%s has no package comment", strings.TrimPrefix(name, module))
		}
	}
}

func documented(t *testing.T, dir string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(src[:min(len(src), 200)]), "DO NOT EDIT") {
			return true
		}
		ast, err := parser.ParseFile(token.NewFileSet(), f, src, parser.ParseComments|parser.PackageClauseOnly)
		if err == nil && ast.Doc != nil && !strings.HasSuffix(f, "_test.go") {
			return true
		}
	}
	return false
}

func list(t *testing.T, format string, more ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-f", format, "./cmd/...", "./pkg/...", "./proto/..."}, more...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), func(s string) bool {
		name, _, _ := strings.Cut(s, " ")
		return name == module+"pkg"
	})
}
