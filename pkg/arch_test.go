// Package pkg holds nothing but the rules between the packages below it.
package pkg

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
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
		"one package knows the kernel's wire format (GoBGP links a netlink client of its own)"},
	{"github.com/google/nftables", []string{"pkg/kernel", "pkg/daemon", "cmd/nvad", "cmd/nvad/command"},
		"one package knows the kernel's wire format"},
	{module + "proto/nvad/v1", []string{"pkg/api", "pkg/api/apitest", "pkg/ctl", "pkg/daemon", "cmd/nvad", "cmd/nvad/command", "cmd/nvactl"},
		"generated types stay at the edge"},
}

// core packages run in a unit test without root, network or clock.
var core = []string{"pkg/route", "pkg/policy", "pkg/config", "pkg/rib", "pkg/fib", "pkg/tunnel", "pkg/nat", "pkg/nic", "pkg/engine", "pkg/speaker"}

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

func list(t *testing.T, format string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", format, "./cmd/...", "./pkg/...", "./proto/...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), func(s string) bool {
		return strings.HasPrefix(s, module+"pkg ")
	})
}
