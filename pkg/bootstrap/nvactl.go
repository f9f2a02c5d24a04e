package bootstrap

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/azure"
)

// nvactl asks Azure Resource Manager by running the program of that name: nvad itself links
// no SDK of Azure, which is larger than all of nvad.
type nvactl struct {
	path     string
	clientID string
	progress io.Writer // gets what the program says on stderr
	dryRun   bool      // changes nothing in Azure
}

// maxOutput bounds the answer of nvactl, in octets. A VM with its VNets, a Route Server with
// its peers and some hundred NVAs take less than 1 MiB.
const maxOutput = 16 << 20

// killDelay is how long an nvactl may take to end that was told to.
const killDelay = 5 * time.Second

// findNvactl returns the nvactl beside this program, which has the same version, or else the
// first one in PATH.
func findNvactl(clientID string, progress io.Writer) (nvactl, error) {
	const name = "nvactl"
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return nvactl{path: path, clientID: clientID, progress: progress}, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nvactl{}, fmt.Errorf("--from-azure: nvactl, which asks Azure Resource Manager, is neither beside this program nor in PATH: %w", err)
	}
	return nvactl{path: path, clientID: clientID, progress: progress}, nil
}

// snapshot returns what Azure says of this VM, and of the VMs with a tag.
func (n nvactl) snapshot(ctx context.Context, tag string) (azure.Snapshot, error) {
	args := []string{"-o", "json"}
	if tag != "" {
		args = append(args, "--tag", tag)
	}
	var s azure.Snapshot
	out, err := n.run(ctx, "snapshot", args...)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(out, &s); err != nil || s.VM.ID == "" {
		return s, fmt.Errorf("%s azure snapshot did not answer as expected; is it of the same version as nvad? %w", n.path, cmp.Or(err, errors.New("there is no VM in it")))
	}
	return s, nil
}

// run runs "nvactl azure COMMAND ARGS" and returns its output. If it fails, the error quotes
// its last line, and may pass by itself.
func (n nvactl) run(ctx context.Context, command string, args ...string) ([]byte, error) {
	argv := append([]string{"azure", command}, args...)
	if n.clientID != "" {
		argv = append(argv, "--client-id", n.clientID)
	}
	if deadline, ok := ctx.Deadline(); ok {
		argv = append(argv, "--timeout", max(time.Until(deadline), time.Second).Round(time.Second).String())
	}
	cmd := exec.CommandContext(ctx, n.path, argv...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = killDelay
	out, last := &bounded{max: maxOutput}, &lastLine{}
	cmd.Stdout, cmd.Stderr = out, io.MultiWriter(n.progress, last)
	err := cmd.Run()
	switch exit, failed := errors.AsType[*exec.ExitError](err); {
	case out.full:
		return nil, fmt.Errorf("%s azure %s printed more than %d MiB", n.path, command, maxOutput>>20)
	case failed && last.text() != "":
		return nil, unsettled{error: errors.New(last.text()), said: true}
	case failed || ctx.Err() != nil:
		return nil, unsettledf("%s azure %s: %w", n.path, command, cmp.Or(ctx.Err(), error(exit)))
	}
	return out.buffer.Bytes(), err
}

// bounded keeps what is written to it, up to max octets. It does not embed the buffer, whose
// ReadFrom would go round the limit.
type bounded struct {
	buffer bytes.Buffer
	max    int
	full   bool
}

// Write fails if the limit is reached, which ends the writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.full = b.full || b.buffer.Len()+len(p) > b.max; b.full {
		return 0, errors.New("too much")
	}
	return b.buffer.Write(p)
}

// lastLine keeps the end of what is written to it.
type lastLine struct{ end []byte }

// maxLine bounds a line that becomes part of an error.
const maxLine = 2048

// Write implements io.Writer.
func (l *lastLine) Write(p []byte) (int, error) {
	l.end = append(l.end, p...)
	l.end = l.end[max(0, len(l.end)-maxLine):]
	return len(p), nil
}

// text returns the last line, without the name of the program that wrote it.
func (l *lastLine) text() string {
	lines := strings.Split(strings.TrimSpace(string(l.end)), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "nvactl: ")
}
