package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// finding is an error or a warning of a configuration file. Line and Key are
// those of config.Error; Code is empty for an error.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Key     string `json:"key"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// checked is what config check tells of a file.
type checked struct {
	OK       bool      `json:"ok"`
	Errors   []finding `json:"errors"`
	Warnings []finding `json:"warnings"`
}

// checkJSON prints what there is to say of a file. A file with errors is an error as
// well, so that the exit code is the same in all formats.
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
	return errors.Join(fault, writeValue(w, v))
}

// leftover is a line that config convert could not carry over.
type leftover struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// conversionJSON prints a converted configuration and what it leaves over.
func conversionJSON(w io.Writer, toml []byte, left []frrconf.Leftover) error {
	out := struct {
		TOML      string     `json:"toml"`
		Leftovers []leftover `json:"leftovers"`
	}{string(toml), []leftover{}}
	for _, l := range left {
		out.Leftovers = append(out.Leftovers, leftover{l.File, l.Line, string(l.Kind), l.Reason, printable(l.Text)})
	}
	return writeValue(w, out)
}

// writeValue prints a value that is no message of the interface.
func writeValue(w io.Writer, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(appendPlain(nil, buf.Bytes()))
	return err
}
