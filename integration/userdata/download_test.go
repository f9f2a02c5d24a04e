package userdata

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"gopkg.in/yaml.v3"
)

// way is how a script gets the package: the values of its placeholders, and the content of the
// file with the repository's key.
type way struct{ url, sum, repository, version, key string }

// TestDownload runs both scripts where nvad is not installed and apt's tools are stubs that
// leave a mark. Without a complete SHA-256, or without a key and a version of a repository,
// nothing is downloaded or installed.
func TestDownload(t *testing.T) {
	const url, repository = "https://example.org/nvad.deb", "https://example.org/apt"
	good := strings.Repeat("0aF9", 16)
	type refusal struct {
		way
		says string
	}
	refused := []refusal{
		{way{repository: repository, version: "0.1.0"}, "repository_key is empty"},
		{way{repository: repository, key: "key"}, "package_version"},
		{way{repository: repository, key: "key", version: "newest"}, "package_version"},
		{way{repository: repository, key: "key", version: "0.1.0 -y"}, "package_version"},
		{way{repository: repository, key: "key", version: "0.1.0", url: url, sum: good}, "both package_url and repository_url"},
	}
	for _, sum := range []string{"", " ", "0", good[1:], good + "0", "x" + good[1:], good + " ", "SHA256:" + good, good + "\n", "\n" + good, "$(echo " + good + ")x"} {
		refused = append(refused, refusal{way{url: url, sum: sum}, "package_sha256"})
	}
	for _, file := range []string{"bootstrap.yaml", "config.yaml"} {
		for _, c := range refused {
			if out, touched, err := setup(t, file, c.way); err == nil || touched || !strings.Contains(out, c.says) || !strings.Contains(out, "nothing is downloaded") {
				t.Errorf("%s with %+v: %v, touched %v: %s", file, c.way, err, touched, out)
			}
		}
		for _, w := range []way{{url: url, sum: good}, {repository: repository, key: "key", version: "0.1.0"}} {
			if out, touched, _ := setup(t, file, w); !touched {
				t.Errorf("%s with %+v downloads nothing: %s", file, w, out)
			}
		}
	}
}

// setup runs the script of a user-data file, and returns its output and whether it used apt.
func setup(t *testing.T, file string, w way) (out string, touched bool, err error) {
	t.Helper()
	var c cloudConfig
	text := read(t, configs(t, filepath.Join("cloud-init", file)))
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	script := c.WriteFiles[len(c.WriteFiles)-1].Content
	dir := t.TempDir()
	mark, key := filepath.Join(dir, "mark"), filepath.Join(dir, "key")
	for name, text := range map[string]string{
		"apt-helper": "#!/bin/sh\n: >" + mark + "\nexit 42\n", "apt-get": "#!/bin/sh\n: >" + mark + "\nexit 42\n", "install": "#!/bin/sh\n", "key": w.key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	expr, err := exec.LookPath("expr")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(expr, filepath.Join(dir, "expr")); err != nil {
		t.Fatal(err)
	}
	script = strings.NewReplacer("/usr/lib/apt/apt-helper", "apt-helper", "/var/lib/nvad-setup/repository.gpg", key,
		">/etc/apt/sources.list.d/nvad.sources", ">"+filepath.Join(dir, "sources"),
		"${package_sha256}", w.sum, "${package_url}", w.url, "${repository_url}", w.repository, "${package_version}", w.version).Replace(script)
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = []string{"PATH=" + dir}
	printed, err := cmd.CombinedOutput()
	_, statErr := os.Stat(mark)
	return string(printed), statErr == nil, err
}

// TestTerraformRefuses evaluates the conditions of the variables that decide what runs as
// root.
func TestTerraformRefuses(t *testing.T) {
	sum := strings.Repeat("0aF9", 16)
	for name, values := range map[string]struct{ good, bad []string }{
		"package_url":     {[]string{"", "https://a/b.deb"}, []string{"http://a/b.deb", "ftp://a", "https://"}},
		"package_sha256":  {[]string{"", sum}, []string{sum[1:], sum + "0", sum + "\n", "g" + sum[1:]}},
		"repository_url":  {[]string{"", "https://a/apt"}, []string{"http://a/apt", "ppa:a/b", "https://"}},
		"repository_key":  {[]string{"", strings.Repeat("mDM+", 50), strings.Repeat("mDM/", 50) + "mQ=="}, []string{"nvad.gpg", "-----BEGIN PGP", strings.Repeat("mDM+", 50) + "\n"}},
		"package_version": {[]string{"", "0.1.0", "0.1.0+5.gabc1234"}, []string{"latest", "v0.1.0", "*", "0.1.0 -y"}},
		"image_version":   {[]string{"24.04.202410170"}, []string{"", "latest", "24.04", "24.04.latest"}},
	} {
		for want, list := range map[bool][]string{true: values.good, false: values.bad} {
			for _, v := range list {
				if got := accepted(t, name, v); got != want {
					t.Errorf("%s = %q: accepted is %v", name, v, got)
				}
			}
		}
	}
}

// accepted evaluates the validation of a root variable. If it has a default, that is empty.
func accepted(t *testing.T, name, value string) bool {
	t.Helper()
	for _, b := range blocks(t, configs(t, "azure/terraform"), "variable") {
		if b.Labels[0] != name {
			continue
		}
		if a := b.Body.Attributes["default"]; a != nil {
			if v, diags := a.Expr.Value(nil); diags.HasErrors() || v.AsString() != "" || name == "image_version" {
				t.Fatalf("%s has the default %v", name, v)
			}
		}
		if len(b.Body.Blocks) != 1 {
			t.Fatalf("%s has no validation", name)
		}
		result, diags := b.Body.Blocks[0].Body.Attributes["condition"].Expr.Value(&hcl.EvalContext{
			Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{name: cty.StringVal(value)})},
			Functions: map[string]function.Function{"length": stdlib.LengthFunc, "regexall": stdlib.RegexAllFunc},
		})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return result.True()
	}
	t.Fatalf("no variable %s", name)
	return false
}

// TestTerraformWays evaluates the condition under which Terraform creates anything: one way to
// the package is complete, and the other is empty.
func TestTerraformWays(t *testing.T) {
	dir := configs(t, "azure/terraform")
	var condition hcl.Expression
	for _, b := range blocks(t, dir, "resource") {
		if b.Labels[0] == "azurerm_resource_group" {
			condition = b.Body.Blocks[0].Body.Blocks[0].Body.Attributes["condition"].Expr
		}
	}
	names := []string{"package_url", "package_sha256", "repository_url", "repository_key", "package_version"}
	for set := range 1 << len(names) {
		vars := map[string]cty.Value{}
		for i, name := range names {
			vars[name] = cty.StringVal(strings.Repeat("x", set>>i&1))
		}
		ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(vars)}, Functions: map[string]function.Function{"alltrue": allTrue}}
		locals := map[string]cty.Value{}
		for _, name := range []string{"from_url", "from_repository"} {
			value, diags := local(t, dir, name).Expr.Value(ctx)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			locals[name] = value
		}
		ctx.Variables["local"] = cty.ObjectVal(locals)
		result, diags := condition.Value(ctx)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if want := set == 0b00011 || set == 0b11100; result.True() != want {
			t.Errorf("with %05b of %v: %v", set, names, result.True())
		}
	}
}

// allTrue replaces Terraform's function.
var allTrue = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}}, Type: function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		for _, v := range args[0].AsValueSlice() {
			if v.False() {
				return cty.False, nil
			}
		}
		return cty.True, nil
	},
})

// TestBicepRefuses: parameters that decide what runs as root have a length, and the hubs
// require that one way to the package is complete.
func TestBicepRefuses(t *testing.T) {
	main, hub := read(t, configs(t, "azure/bicep/main.bicep")), read(t, configs(t, "azure/bicep/hub.bicep"))
	for _, want := range []string{
		"@minLength(10)\nparam imageVersion string\n",
		"!empty(packageUrl) && length(packageSha256) == 64 && empty('${repositoryUrl}${repositoryKey}${packageVersion}') ? ['url'] : []",
		"!empty(repositoryUrl) && !empty(repositoryKey) && !empty(packageVersion) && empty('${packageUrl}${packageSha256}') ? ['repository'] : []",
		"    packageFrom: packageFrom\n",
	} {
		if !strings.Contains(main, want) {
			t.Errorf("main.bicep has no %q", want)
		}
	}
	if want := "@minLength(1)\nparam packageFrom array\n"; !strings.Contains(hub, want) {
		t.Errorf("hub.bicep has no %q", want)
	}
}

// TestPinned: everything that is built, run or deployed has a fixed version.
func TestPinned(t *testing.T) {
	root := configs(t, "..")
	newest := regexp.MustCompile(`@latest|version\s*[:=]\s*["']latest|apt-key|\b(curl|wget)\b[^|\n]*\|\s*(sudo )?(ba)?sh`)
	for _, pattern := range []string{
		"Makefile", ".ci/*", "integration/*.sh", "packaging/*.sh", "packaging/debian/*", "packaging/nfpm.yaml", "proto/nvad/v1/generate.go",
		"configs/cloud-init/*", "configs/azure/bicep/*", "configs/azure/terraform/*.tf", "configs/azure/terraform/hub/*",
	} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if found := newest.FindString(read(t, file)); found != "" {
				t.Errorf("%s: %q", file, found)
			}
		}
	}
}
