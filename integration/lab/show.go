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
	"unicode/utf8"
)

// labNode is the node of commands that belong to the lab itself.
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

// Show runs the commands of the scenario's Show and prints each with its output.
func (l *Lab) Show(ctx context.Context, out io.Writer) error {
	for _, line := range l.Scenario.Show {
		fmt.Fprintf(out, "\n%s\n", line)
		text, err := l.Step(ctx, line)
		for _, row := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			fmt.Fprintln(out, fold(row))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// terminal is the width that all output should fit into, in columns.
const terminal = 80

// fold breaks a row that is too long at spaces. The rows of ip -d link, for example, are.
func fold(row string) string {
	row = strings.TrimRight(row, " ")
	if utf8.RuneCountInString(row) <= terminal {
		return row
	}
	indent := strings.Repeat(" ", len(row)-len(strings.TrimLeft(row, " "))+4)
	var text strings.Builder
	width := 0
	for _, word := range strings.SplitAfter(row, " ") {
		n := utf8.RuneCountInString(strings.TrimRight(word, " "))
		if width > len(indent) && width+n > terminal {
			text.WriteString("\n" + indent)
			width = len(indent)
		}
		text.WriteString(word)
		width += utf8.RuneCountInString(word)
	}
	return text.String()
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
