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

// TestChecksum runs both scripts where nvad is not installed and apt's tools are stubs that
// leave a mark. Without a complete SHA-256, nothing is downloaded or installed.
func TestChecksum(t *testing.T) {
	good := strings.Repeat("0aF9", 16)
	for name, sums := range map[string][]string{
		"refused":    {"", " ", "0", good[1:], good + "0", "x" + good[1:], good + " ", "SHA256:" + good, good + "\n", "\n" + good, "$(echo " + good + ")x"},
		"downloaded": {good},
	} {
		for _, file := range []string{"bootstrap.yaml", "config.yaml"} {
			for _, sum := range sums {
				out, touched, err := setup(t, file, sum)
				if name == "downloaded" {
					if !touched {
						t.Errorf("%s with %q downloads nothing: %s", file, sum, out)
					}
					continue
				}
				if err == nil || touched || !strings.Contains(out, "package_sha256") {
					t.Errorf("%s with %q: %v, touched %v: %s", file, sum, err, touched, out)
				}
			}
		}
	}
}

// setup runs the script of a user-data file with a checksum, and returns its output and
// whether it used apt.
func setup(t *testing.T, file, sum string) (out string, touched bool, err error) {
	t.Helper()
	var c cloudConfig
	text := read(t, configs(t, filepath.Join("cloud-init", file)))
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	script := c.WriteFiles[len(c.WriteFiles)-1].Content
	dir := t.TempDir()
	mark := filepath.Join(dir, "mark")
	stub := "#!/bin/sh\n: >" + mark + "\nexit 42\n"
	for _, tool := range []string{"apt-helper", "apt-get"} {
		if err := os.WriteFile(filepath.Join(dir, tool), []byte(stub), 0o755); err != nil {
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
	script = strings.NewReplacer("/usr/lib/apt/apt-helper", "apt-helper", "${package_sha256}", sum,
		"${package_url}", "https://example.org/nvad.deb").Replace(script)
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
		"package_url":    {[]string{"https://a/b.deb"}, []string{"", "http://a/b.deb", "ftp://a", "https://"}},
		"package_sha256": {[]string{sum}, []string{"", sum[1:], sum + "0", sum + "\n", "g" + sum[1:]}},
		"image_version":  {[]string{"24.04.202410170"}, []string{"", "latest", "24.04", "24.04.latest"}},
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

// accepted evaluates the validation of a root variable, which has no default.
func accepted(t *testing.T, name, value string) bool {
	t.Helper()
	for _, b := range blocks(t, configs(t, "azure/terraform"), "variable") {
		if b.Labels[0] != name {
			continue
		}
		if b.Body.Attributes["default"] != nil || len(b.Body.Blocks) != 1 {
			t.Fatalf("%s has a default, or no validation", name)
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

// TestBicepRefuses: parameters that decide what runs as root have a length and no default.
func TestBicepRefuses(t *testing.T) {
	main := read(t, configs(t, "azure/bicep/main.bicep"))
	for _, want := range []string{
		"@minLength(1)\nparam packageUrl string\n",
		"@minLength(64)\n@maxLength(64)\nparam packageSha256 string\n",
		"@minLength(10)\nparam imageVersion string\n",
	} {
		if !strings.Contains(main, want) {
			t.Errorf("main.bicep has no %q", want)
		}
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
