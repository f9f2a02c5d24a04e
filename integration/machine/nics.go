package machine

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// namespaceDir holds the network namespaces that have a name.
const namespaceDir = "/run/netns"

// renew replaces a network namespace by a new one of the same name that keeps
// the veth ends, as a power cycle does: addresses, routes, tunnels, rules and
// settings are gone. Nobody may be in the old one any more.
func renew(namespace string) error {
	fresh := namespace + ".on"
	nics, err := nicsOf(namespace)
	if err != nil {
		return err
	}
	if err := quietly("ip", "netns", "add", fresh); err != nil {
		return err
	}
	var batch strings.Builder
	for _, nic := range nics {
		fmt.Fprintf(&batch, "link set %s netns %s\n", nic, fresh)
	}
	cmd := exec.Command("ip", "-n", namespace, "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("move the NICs of %s: %w: %s", namespace, err, out)
	}
	if err := quietly("ip", "netns", "del", namespace); err != nil {
		return err
	}
	path := filepath.Join(namespaceDir, namespace)
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		return err
	}
	if err := syscall.Mount(filepath.Join(namespaceDir, fresh), path, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("name namespace %s: %w", namespace, err)
	}
	return quietly("ip", "netns", "del", fresh)
}

func nicsOf(namespace string) (names []string, err error) {
	out, err := exec.Command("ip", "-n", namespace, "-json", "link", "show", "type", "veth").Output()
	if err != nil {
		return nil, fmt.Errorf("links of namespace %s: %w", namespace, err)
	}
	var links []struct{ IfName string }
	if err := json.Unmarshal(out, &links); err != nil {
		return nil, fmt.Errorf("links of namespace %s: %w", namespace, err)
	}
	for _, l := range links {
		names = append(names, l.IfName)
	}
	return names, nil
}
