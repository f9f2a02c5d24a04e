package userdata

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/machine"
)

// hub00 are the values of the first hub's NVA, in both examples of configs/azure.
var hub00 = map[string]string{
	"package_url": "https://example.blob.core.windows.net/nvad/nvad.deb", "package_sha256": strings.Repeat("0", 64),
	"repository_url": "", "repository_key": "", "package_version": "",
	"nva_tag": "nvad=rg-nva", "nvas": "2", "nva_key": "MDEyMzQ1Njc4OWFiY2RlZg==", "nva_tunnel": "vxlan",
}

// configs returns the path of a file or directory below configs.
func configs(t *testing.T, path string) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "configs", path)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var placeholder = regexp.MustCompile(`\$\{(\w+)\}`)

// placeholders returns the names in dollar braces, once each.
func placeholders(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return names
}

// fill replaces the placeholders in dollar braces.
func fill(t *testing.T, text string, values map[string]string) string {
	t.Helper()
	for name := range placeholders(text) {
		value, ok := values[name]
		if !ok {
			t.Fatalf("no value for %s", name)
		}
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}

// userData returns both files, as shipped and filled in.
func userData(t *testing.T) map[string]string {
	t.Helper()
	toml := base64.StdEncoding.EncodeToString([]byte(read(t, configs(t, "hub00.toml"))))
	out := map[string]string{}
	for _, name := range []string{"bootstrap.yaml", "config.yaml"} {
		text := read(t, configs(t, filepath.Join("cloud-init", name)))
		values := map[string]string{"nvad_toml": toml}
		for k, v := range hub00 {
			values[k] = v
		}
		out[name], out["filled "+name] = text, fill(t, text, values)
	}
	return out
}

// TestSchema checks the user-data with cloud-init's own schema, in the root of a machine: if
// cloud-init were installed on the host, it would configure the host at its next boot. Older
// versions accept keys that they do not know; TestTraps does not.
func TestSchema(t *testing.T) {
	m := machine.Make(t, machine.Options{Name: "vm-schema"})
	check := func(text string) ([]byte, error) {
		const file = "/root/user-data.yaml"
		m.Put(t, file, text)
		return exec.Command("chroot", m.Root(), "cloud-init", "schema", "--config-file", file).CombinedOutput()
	}
	for name, text := range userData(t) {
		if out, err := check(text); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if len(text) > 64<<10 {
			t.Errorf("%s: Azure takes 64 KB", name)
		}
		if out, err := check(text + "\npackage_update: perhaps\n"); err == nil {
			t.Errorf("what is no boolean passes for one: %s", out)
		}
	}
}

// TestNoAddress: nobody types an address: bootstrap finds them all.
func TestNoAddress(t *testing.T) {
	text := userData(t)["filled bootstrap.yaml"]
	if found := regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`).FindString(text); found != "" {
		t.Errorf("bootstrap.yaml has the address %s", found)
	}
	if !strings.Contains(text, "nvad bootstrap --from-azure --register --tag \"nvad=rg-nva\" --nvas \"2\"") {
		t.Errorf("bootstrap is not run as it should:\n%s", text)
	}
}

// TestTunnelChoice runs the script's choice of a tunnel: keys are published only if they were asked
// for, and a word that is none of the two configures nothing.
func TestTunnelChoice(t *testing.T) {
	text := userData(t)["bootstrap.yaml"]
	begin, end := strings.Index(text, `tunnel="${nva_tunnel}"`), strings.Index(text, "esac")
	if begin < 0 || end < begin || !regexp.MustCompile(`nvad bootstrap .*\n.* \$publish\n`).MatchString(text) {
		t.Fatal("bootstrap.yaml does not choose between tunnels")
	}
	for tunnel, want := range map[string]string{"vxlan": "[]\n", "wireguard": "[--publish-key]\n", "": "", "WireGuard": ""} {
		script := strings.ReplaceAll(text[begin:end], "${nva_tunnel}", tunnel) + "esac\necho \"[$publish]\"\n"
		out, err := exec.Command("sh", "-eu", "-c", script).Output()
		if string(out) != want || (err == nil) != (want != "") {
			t.Errorf("nva_tunnel %q: %q, %v; want %q", tunnel, out, err, want)
		}
	}
}

// cloudConfig is the part of the user-data in which TestTraps looks for traps.
type cloudConfig struct {
	WriteFiles []struct{ Path, Owner, Permissions, Content string } `yaml:"write_files"`
	RunCmd     []any                                                `yaml:"runcmd"`
	Rest       map[string]any                                       `yaml:",inline"`
}

// TestTraps: each trap is known from templates that people run in Azure.
func TestTraps(t *testing.T) {
	for name, text := range userData(t) {
		var c cloudConfig
		if err := yaml.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		// Packages need the internet, which an NVA may not have. A reboot costs time.
		for key := range c.Rest {
			t.Errorf("%s: has the key %s", name, key)
		}
		if len(c.RunCmd) != 1 || len(c.WriteFiles) == 0 {
			t.Errorf("%s: %d commands, %d files", name, len(c.RunCmd), len(c.WriteFiles))
		}
		for _, f := range c.WriteFiles {
			if f.Owner != "" {
				t.Errorf("%s: %s is written before there is a user %s", name, f.Path, f.Owner)
			}
			if strings.HasPrefix(f.Path, "/tmp") || strings.HasPrefix(f.Path, "/run") || strings.HasPrefix(f.Path, "/etc/nvad") {
				t.Errorf("%s: %s is emptied at boot, or the package's", name, f.Path)
			}
			for _, trap := range []string{"sysctl -w", "reboot", "/tmp", "add-apt-repository", "apt-get update", "apt update", "trusted", "curl "} {
				if strings.Contains(f.Content, trap) {
					t.Errorf("%s: %s: %q", name, f.Path, trap)
				}
			}
		}
	}
}

// TestScripts lets the shell parse the scripts that the user-data runs.
func TestScripts(t *testing.T) {
	lab.RequireCommands(t, "shellcheck")
	for name, text := range userData(t) {
		var c cloudConfig
		if err := yaml.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		script := c.WriteFiles[len(c.WriteFiles)-1]
		cmd := exec.Command("shellcheck", "-")
		// As shipped, the names in dollar braces are variables that nobody sets.
		cmd.Args = append(cmd.Args, "--exclude=SC2154")
		cmd.Stdin = strings.NewReader(script.Content)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(script.Content, "#!/bin/sh\n") {
			t.Errorf("%s: %s: %v\n%s", name, script.Path, err, out)
		}
	}
}
