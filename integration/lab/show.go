package lab

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// labNode is the node of commands that are the lab's own.
const labNode = "azure"

// Settle waits until every flow of the scenario passes.
func (l *Lab) Settle(ctx context.Context) error {
	for _, f := range l.Scenario.Reach {
		for {
			_, err := l.Output(f.From, "ping", "-c", "1", "-W", "1", f.To)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("not settled, logs are in %s: %w", l.path("log"), err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}

// Show runs what the scenario lists to be seen, and prints each command and its
// output.
func (l *Lab) Show(ctx context.Context, out io.Writer) error {
	for _, line := range l.Scenario.Show {
		fmt.Fprintf(out, "\n%s\n", line)
		text, err := l.Step(ctx, line)
		fmt.Fprintln(out, strings.TrimRight(text, "\n"))
		if err != nil {
			return err
		}
	}
	return nil
}

// Step runs one line of a scenario's Show and returns its output.
func (l *Lab) Step(ctx context.Context, line string) (string, error) {
	node, command, _ := strings.Cut(line, "# ")
	argv := strings.Fields(command)
	switch {
	case node == labNode:
		argv = append([]string{l.Options.Emulator, "--prefix", l.Options.Prefix}, argv...)
		return output(exec.CommandContext(ctx, argv[0], argv[1:]...))
	case argv[0] == "nvactl":
		argv = append([]string{l.nvactl(), "--socket", l.NVASocket(node)}, argv[1:]...)
		return output(exec.CommandContext(ctx, argv[0], argv[1:]...))
	}
	return output(l.Command(node, argv...))
}

func (l *Lab) nvactl() string {
	return cmp.Or(l.Options.Nvactl, filepath.Join(filepath.Dir(l.Options.Emulator), "nvactl"))
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), err
}
