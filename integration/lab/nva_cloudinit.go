package lab

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// initScript runs in a VM of kind [CloudInit] in place of systemd and cloud-init. The VM
// shares the host's programs. What it writes below the directories of its disk stays in the
// lab, and /etc/nvad is its own even if nvad is installed on the host.
const initScript = `set -eu
for dir in %[2]s; do
	mkdir -p "%[1]s/upper/$dir" "%[1]s/workdir/$dir"
	mount -t overlay overlay -o "lowerdir=/$dir,upperdir=%[1]s/upper/$dir,workdir=%[1]s/workdir/$dir" "/$dir"
done
mkdir -p /etc/nvad "%[1]s/nvad"
mount --bind "%[1]s/nvad" /etc/nvad
PATH=%[1]s/bin:$PATH
trap 'trap "" TERM; kill 0; exit 1' TERM
{
%[3]s
} >"%[5]s" 2>&1 &
wait $!
trap - TERM
exec nvad --config /etc/nvad/nvad.toml --socket %[4]s
`

// disk lists the directories of the host over which a VM of kind [CloudInit] writes.
var disk = []string{"etc", "var/lib", "usr/local"}

// systemctl stands in for the program of that name: the VM's first process starts nvad.
const systemctl = "#!/bin/sh\nexit 0\n"

// userData is the part of a cloud-config that such a VM carries out.
type userData struct {
	WriteFiles []struct{ Path, Permissions, Encoding, Content string } `yaml:"write_files"`
	RunCmd     [][]string                                              `yaml:"runcmd"`
}

// launchCloudInit starts a VM that knows nothing but its user-data. Like a disk, what it
// has written is there again when it is started again.
func (l *Lab) launchCloudInit(vm VM, nva NVA) error {
	data, err := l.readUserData(nva.Config)
	if err != nil {
		return err
	}
	dir := l.path("run", vm.Name)
	if err := l.furnish(dir, nva.Binary, data); err != nil {
		return err
	}
	var commands []string
	for _, argv := range data.RunCmd {
		commands = append(commands, strings.Join(argv, " "))
	}
	text := fmt.Sprintf(initScript, dir, strings.Join(disk, " "), strings.Join(commands, "\n"), l.nvaSocket(vm), l.cloudInitLog(vm.Name))
	return l.spawn(vm.Name, vm.Name, "unshare", "--mount", "sh", "-c", text)
}

// cloudInitLog returns the file with what the VM's user-data has printed.
func (l *Lab) cloudInitLog(vm string) string { return l.path("log", vm+"-cloud-init.log") }

// CloudInitOutput returns what the user-data of a VM of kind [CloudInit] has printed.
func (l *Lab) CloudInitOutput(vm string) (string, error) {
	data, err := os.ReadFile(l.cloudInitLog(vm))
	return string(data), err
}

// readUserData reads a file of configs/cloud-init and fills it in as Bicep and Terraform do.
// nvad is in the VM's image, and the tag is that of the NVAs of the resource group.
func (l *Lab) readUserData(path string) (userData, error) {
	var data userData
	text, err := os.ReadFile(path)
	if err != nil {
		return data, err
	}
	nvas := 0
	for _, v := range l.Topology.VNets {
		nvas += len(v.NVAs())
	}
	filled := strings.NewReplacer("${package_url}", "", "${package_sha256}", "",
		"${repository_url}", "", "${repository_key}", "", "${package_version}", "", "${nva_tag}", tagName+"="+tagValue,
		"${nva_tunnel}", "vxlan", "${nvas}", strconv.Itoa(nvas), "${nva_key}", base64.StdEncoding.EncodeToString([]byte("the key of this lab"))).Replace(string(text))
	if err := yaml.Unmarshal([]byte(filled), &data); err != nil {
		return data, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// The tag by which NVAs find each other, as the examples in configs/azure set it.
const tagName, tagValue = "nvad", "rg-nva"

// furnish writes the user-data's files, and the programs that the host does not have.
func (l *Lab) furnish(dir, nvad string, data userData) error {
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for name, target := range map[string]string{"nvad": nvad, "nvactl": l.nvactl()} {
		link := filepath.Join(bin, name)
		if err := os.RemoveAll(link); err != nil {
			return err
		}
		if err := os.Symlink(target, link); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(systemctl), 0o755); err != nil {
		return err
	}
	upper := filepath.Join(dir, "upper")
	if err := write(filepath.Join(upper, "etc/hosts"), l.HostsFile(), 0o644); err != nil {
		return err
	}
	for _, f := range data.WriteFiles {
		mode, err := strconv.ParseUint(f.Permissions, 8, 12)
		if err != nil {
			return fmt.Errorf("permissions of %s: %w", f.Path, err)
		}
		content := f.Content
		if f.Encoding == "b64" {
			text, err := base64.StdEncoding.DecodeString(content)
			if err != nil {
				return fmt.Errorf("%s: %w", f.Path, err)
			}
			content = string(text)
		}
		if err := write(filepath.Join(upper, f.Path), content, os.FileMode(mode)); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file and the directories that it lacks.
func write(path, text string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
