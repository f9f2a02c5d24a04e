package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build carries out the plan: namespaces, then links, then what is within each.
func (n *network) build() error {
	var batch strings.Builder
	for _, name := range n.order {
		fmt.Fprintf(&batch, "netns add %s\n", n.ns(name))
	}
	batch.WriteString(strings.Join(n.links, "\n"))
	if err := run(batch.String(), "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("namespaces and links: %w", err)
	}
	for _, name := range n.order {
		if err := n.configure(n.nodes[name]); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
	return nil
}

func (n *network) configure(m *node) error {
	ns := n.ns(m.name)
	if len(m.sysctls) > 0 {
		var text strings.Builder
		for key, value := range m.sysctls {
			fmt.Fprintf(&text, "%s = %s\n", key, value)
		}
		if err := run(text.String(), "ip", "netns", "exec", ns, "sysctl", "-q", "-p", "-"); err != nil {
			return err
		}
	}
	if err := run(m.batch(), "ip", "-n", ns, "-batch", "-"); err != nil {
		return err
	}
	if m.nft == "" {
		return nil
	}
	return run(m.nft, "ip", "netns", "exec", ns, "nft", "-f", "-")
}

// remove removes the namespaces, which takes the links and all else along.
func (n *network) remove() error {
	var errs []error
	for _, name := range n.order {
		if _, err := os.Stat(filepath.Join("/run/netns", n.ns(name))); err == nil {
			errs = append(errs, run("", "ip", "netns", "del", n.ns(name)))
		}
	}
	return errors.Join(errs...)
}

// run runs a command with input and returns what it said if it failed.
func run(input string, argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// Command prepares a command that runs in the namespace of a node.
func (l *Lab) Command(node string, argv ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", l.Namespace(node)}, argv...)...)
}

// Output runs a command in the namespace of a node and returns all it printed.
func (l *Lab) Output(node string, argv ...string) (string, error) {
	return output(l.Command(node, argv...))
}
