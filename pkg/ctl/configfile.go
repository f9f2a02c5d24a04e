package ctl

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/frrconf"
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
		Example: "  nvactl config check new.toml\n  nvactl config check new.toml -o json | jq '.errors[].line'",
		Args:    between(0, 1),
		RunE: a.offline(func(args []string) error {
			if a.json() {
				return checkJSON(fileOr(args), a.Out)
			}
			return config.Check(fileOr(args), a.Out)
		}),
	}
}

func fileOr(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return defaultConfig
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
	toml := frrconf.Render(cfg, leftovers)
	if a.json() {
		err = conversionJSON(a.Out, toml, leftovers)
	} else {
		_, err = a.Out.Write(toml)
	}
	if err != nil {
		return err
	}
	return a.hintPreset(cfg)
}

// hintPreset tells of the preset that says what the file writes out. It does
// more than FRR did, so that it is not for a conversion to decide.
func (a *app) hintPreset(cfg *config.Config) error {
	for i := range cfg.Neighbors {
		if cfg.IsRouteServer(&cfg.Neighbors[i]) {
			return line(a.Err, `hint: neighbors of AS 65515 are Azure Route Server's: preset = "azure-route-server" in a peer-group has all that they need`)
		}
	}
	return nil
}
