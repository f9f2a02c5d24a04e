package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/azure"
)

// savedSnapshot is the file that "nvactl azure snapshot" writes: what Azure said, and
// what nvad said of itself at the same time, if it was asked and answered.
type savedSnapshot struct {
	azure.Snapshot
	Self *azure.Self `json:"nvad,omitempty"`
}

func (a *app) azureSnapshotCommand(at *azureAccess) *cobra.Command {
	q := &azureQuestion{}
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Print everything that Azure says about this NVA, as JSON",
		Long: `Print everything that Azure says about this NVA, as JSON, for scripts and for a
look at it later: "nvactl azure diff --from-snapshot FILE" needs no Azure.
--routes adds what takes Azure longer, the effective routes of the NICs and the
routes that Route Server learned and advertises, and nvad's own side if nvad
runs. The file has subscription IDs and addresses, but no secrets. A tag is NAME
or NAME=VALUE; every VM that the identity may read is asked for it.`,
		Example: `  nvactl azure snapshot --routes > hub00.json
  nvactl azure snapshot --tag nvad=site1 | jq .nvas`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			saved, err := a.snapshotOf(cmd.Context(), at, q)
			if err != nil {
				return failed(err)
			}
			if q.Routes {
				self, err := a.selfBeside(cmd.Context(), &saved)
				if err != nil {
					a.warn(err.Error())
				} else {
					saved.Self = &self
				}
			}
			writeValue(a.Out, saved)
			return nil
		},
	}
	q.register(cmd)
	cmd.Flags().BoolVar(&q.Routes, "routes", false, "with all routes, and nvad's side")
	cmd.Flags().StringVar(&q.Tag, "tag", "", "with the other NVAs: the VMs with this `TAG`")
	return cmd
}

// largestSnapshot bounds the file of a snapshot, in bytes. With ten thousand routes in
// every place that there is, a snapshot has a tenth of it.
const largestSnapshot = 64 << 20

// readSnapshot reads what "nvactl azure snapshot" has written.
func readSnapshot(path string) (savedSnapshot, error) {
	var saved savedSnapshot
	f, err := os.Open(path)
	if err != nil {
		return saved, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largestSnapshot+1))
	switch {
	case err != nil:
		return saved, err
	case len(data) > largestSnapshot:
		return saved, fmt.Errorf("%s: the file is larger than %d MiB", path, largestSnapshot>>20)
	}
	if err := json.Unmarshal(data, &saved); err != nil {
		return saved, fmt.Errorf("%s%w", path, placed(data, err))
	}
	if saved.VM.ID == "" {
		return saved, fmt.Errorf("%s: key vm.id is missing: \"nvactl azure snapshot\" writes such a file", path)
	}
	return saved, nil
}

// placed says in which line of the file an error is, and at which key.
func placed(data []byte, err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf(":%d: key %s: want %s, got %s", lineOf(data, wrong.Offset), strings.TrimPrefix(wrong.Field, "Snapshot."), wrong.Type, wrong.Value)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf(":%d: not JSON: %w", lineOf(data, syntax.Offset), err)
	}
	return fmt.Errorf(": %w", err)
}

func lineOf(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
}
