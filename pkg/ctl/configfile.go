package ctl

import (
	"context"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/frrconf"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// defaultConfig is the file that nvad reads unless told otherwise.
const defaultConfig = "/etc/nvad/nvad.toml"

// offline makes do the body of a command that needs no daemon.
func (a *app) offline(do func(args []string) error) func(*cobra.Command, []string) error {
	return func(_ *cobra.Command, args []string) error {
		if err := do(args); err != nil {
			return failure{err}
		}
		return nil
	}
}

func (a *app) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration file, without a daemon",
		Long: `Print every error of a configuration file with line and key, and exit with 1 if
there is one. Warnings name what is legal but probably not meant. It is the same
check as that of nvad itself.`,
		Example: "  nvactl config check new.toml",
		Args:    between(0, 1),
		RunE:    a.offline(func(args []string) error { return config.Check(fileOr(args), a.Out) }),
	}
}

func fileOr(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return defaultConfig
}

func (a *app) configDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff [FILE]",
		Short: "Show what a reload of a file would change",
		Long: `Compare the running configuration with a file and say of each difference what
applying it costs. Passwords are hidden in the running configuration, so that a
changed one does not show.`,
		Example: "  nvactl config diff /etc/nvad/nvad.toml",
		Args:    between(0, 1),
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			r, err := c.read.GetConfig(ctx, &nvadv1.GetConfigRequest{})
			if err != nil {
				return err
			}
			return a.diff(r.GetToml(), fileOr(args))
		}),
	}
}

// diff prints what differs from running to the file.
func (a *app) diff(running, file string) error {
	cfg, err := loadConfig(file)
	if err != nil {
		return err
	}
	old, err := config.Parse("running configuration", []byte(running))
	if err != nil {
		return fmt.Errorf("nvad is of another version, its configuration is not understood:\n%w", err)
	}
	// Both sides hide their passwords, or all of them would differ.
	if cfg, err = config.Parse(file, config.Print(cfg, true)); err != nil {
		return err
	}
	r := &nvadv1.ReloadResponse{}
	for _, d := range config.Diff(old, cfg) {
		r.Changes = append(r.Changes, &nvadv1.Change{What: d.Object + ": " + d.What, Impact: d.Impact.String()})
	}
	if a.json() {
		return writeArray(a.Out, r.GetChanges())
	}
	return a.printChanges(r.GetChanges(), "No difference.")
}

// conversion is the flags of config convert.
type conversion struct {
	interfaces, script, routerID string
}

func (a *app) configConvertCommand() *cobra.Command {
	v := &conversion{}
	cmd := &cobra.Command{
		Use:   "convert FRR.CONF",
		Short: "Turn a configuration of FRR into one of nvad",
		Long: `Print an nvad.toml that behaves as the given frr.conf does. What could not be
carried over is told on stderr and in comments, with the line and the reason.`,
		Example: `  nvactl config convert /etc/frr/frr.conf --vxlan-script vxlan.sh > nvad.toml
  vtysh -c 'show running-config' | nvactl config convert /dev/stdin`,
		Args: between(1, 1),
		RunE: a.offline(func(args []string) error { return a.convert(args[0], v) }),
	}
	cmd.Flags().StringVar(&v.interfaces, "interfaces", "", "`FILE` like /etc/network/interfaces")
	cmd.Flags().StringVar(&v.script, "vxlan-script", "", "shell script `FILE` that makes VXLAN devices")
	cmd.Flags().StringVar(&v.routerID, "router-id", "", "router ID `ADDRESS` where the file gives none")
	return cmd
}

func (a *app) convert(file string, v *conversion) error {
	in := frrconf.Input{FRRName: file, InterfacesName: v.interfaces, VXLANScriptName: v.script}
	for name, to := range map[string]*[]byte{file: &in.FRR, v.interfaces: &in.Interfaces, v.script: &in.VXLANScript} {
		if name == "" {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		*to = data
	}
	if v.routerID != "" {
		id, err := netip.ParseAddr(v.routerID)
		if err != nil || !id.Is4() {
			return fmt.Errorf("--router-id: %q is not an IPv4 address", v.routerID)
		}
		in.RouterID = id
	}
	cfg, leftovers, err := frrconf.Convert(in)
	if err != nil {
		return err
	}
	for _, l := range leftovers {
		if err := line(a.Err, printable(l.String())); err != nil {
			return err
		}
	}
	_, err = a.Out.Write(frrconf.Render(cfg, leftovers))
	return err
}
