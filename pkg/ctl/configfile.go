package ctl

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/frrconf"
)

// defaultConfig is the configuration file of nvad unless --config names another.
const defaultConfig = "/etc/nvad/nvad.toml"

func (a *app) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration file, without a daemon",
		Long: `Print every error in a configuration file with its line and key, and exit with 1
if there is one. Warnings point to settings that are valid but probably not
meant. The check is the same as that of nvad itself.`,
		Example: "  nvactl config check new.toml\n  nvactl config check new.toml -o json | jq '.errors[].line'",
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

// conversion holds the flags of config convert.
type conversion struct {
	interfaces, script, routerID string
}

func (a *app) configConvertCommand() *cobra.Command {
	v := &conversion{}
	cmd := &cobra.Command{
		Use:   "convert FRR.CONF",
		Short: "Turn a configuration of FRR into one of nvad",
		Long: `Print an nvad.toml that behaves like the given frr.conf. Lines that could not be
carried over are listed on stderr and in comments, with the reason.`,
		Example: `  nvactl config convert /etc/frr/frr.conf --vxlan-script vxlan.sh > nvad.toml
  vtysh -c 'show running-config' | nvactl config convert /dev/stdin`,
		RunE: a.offline(func(args []string) error { return a.convert(args[0], v) }),
	}
	cmd.Flags().StringVar(&v.interfaces, "interfaces", "", "`FILE` like /etc/network/interfaces")
	cmd.Flags().StringVar(&v.script, "vxlan-script", "", "shell script `FILE` that creates the VXLAN devices")
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
		line(a.Err, l.String())
	}
	if toml := frrconf.Render(cfg, leftovers); a.json() {
		conversionJSON(a.Out, toml, leftovers)
	} else {
		_, _ = a.Out.Write(toml)
	}
	a.hintPreset(cfg)
	return nil
}

// hintPreset recommends the preset for Route Server. The preset does more than FRR
// did, so that the conversion does not apply it by itself.
func (a *app) hintPreset(cfg *config.Config) {
	for i := range cfg.Neighbors {
		if cfg.IsRouteServer(&cfg.Neighbors[i]) {
			line(a.Err, `hint: neighbors of AS 65515 are Azure Route Server's: preset = "azure-route-server" in a peer-group has all that they need`)
			return
		}
	}
}

// finding is an error or a warning about a configuration file. Line and Key are as in
// config.Error; Code is empty for an error.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Key     string `json:"key"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// checked is the JSON of config check.
type checked struct {
	OK       bool      `json:"ok"`
	Errors   []finding `json:"errors"`
	Warnings []finding `json:"warnings"`
}

// checkJSON prints the errors and warnings about a file. It also returns the errors, so
// that the exit code is the same in all formats.
func checkJSON(path string, w io.Writer) error {
	cfg, fault := config.Load(path)
	v := checked{OK: fault == nil, Errors: []finding{}, Warnings: []finding{}}
	var all config.Errors
	errors.As(fault, &all)
	for _, e := range all {
		v.Errors = append(v.Errors, finding{File: e.File, Line: e.Line, Key: e.Key, Message: e.Msg})
	}
	if fault == nil {
		for _, n := range config.Warnings(cfg) {
			v.Warnings = append(v.Warnings, finding{File: n.File, Line: n.Line, Key: n.Key, Code: n.Code, Message: n.Msg})
		}
	}
	writeValue(w, v)
	return fault
}

// leftover is the JSON of a line that config convert could not carry over.
type leftover struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// conversionJSON prints a converted configuration and its leftovers.
func conversionJSON(w io.Writer, toml []byte, left []frrconf.Leftover) {
	out := struct {
		TOML      string     `json:"toml"`
		Leftovers []leftover `json:"leftovers"`
	}{string(toml), []leftover{}}
	for _, l := range left {
		out.Leftovers = append(out.Leftovers, leftover{l.File, l.Line, string(l.Kind), l.Reason, printable(l.Text)})
	}
	writeValue(w, out)
}
