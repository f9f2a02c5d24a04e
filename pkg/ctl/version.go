package ctl

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/telemetry"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: groupShow,
		Short:   "Show the versions of nvactl and of the daemon",
		Long: `Show the versions of nvactl and of the daemon that answers. Without a daemon,
that of nvactl is shown all the same, and the exit code is 1.`,
		Example: "  nvactl version\n  nvactl version -o json | jq -r .daemon.version",
		Args:    between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			daemon, err := a.daemonVersion(cmd.Context())
			if err := a.printVersions(telemetry.Build(), daemon); err != nil {
				return failure{err}
			}
			if err != nil {
				return failure{explain(err)}
			}
			return nil
		},
	}
}

func (a *app) daemonVersion(ctx context.Context) (*nvadv1.Version, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.read.GetVersion(ctx, &nvadv1.GetVersionRequest{})
}

func (a *app) printVersions(own telemetry.BuildInfo, daemon *nvadv1.Version) error {
	if a.json() {
		client := &nvadv1.Version{Version: own.Version, Commit: own.Commit, GoVersion: own.GoVersion}
		other := []byte("null")
		if daemon != nil {
			other = indented(daemon, "  ")
		}
		_, err := fmt.Fprintf(a.Out, "{\n  \"client\": %s,\n  \"daemon\": %s\n}\n", indented(client, "  "), other)
		return err
	}
	if err := line(a.Out, "nvactl "+own.String()); err != nil || daemon == nil {
		return err
	}
	b := telemetry.BuildInfo{Version: daemon.GetVersion(), Commit: daemon.GetCommit(), GoVersion: daemon.GetGoVersion()}
	return line(a.Out, "nvad   "+b.String())
}
