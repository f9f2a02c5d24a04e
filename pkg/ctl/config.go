package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/frrconf"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) configCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "config",
		Short: "Show, check, compare and convert configurations",
	}, a.configShowCommand(), a.configCheckCommand(), a.configDiffCommand(), a.configHistoryCommand(),
		a.configRestoreCommand(), a.configConvertCommand())
}

func (a *app) configShowCommand() *cobra.Command {
	var expanded bool
	var version uint32
	running := a.run(func(ctx context.Context, c *client, _ []string) error {
		r, err := c.read.GetConfig(ctx, &nvadv1.GetConfigRequest{Expanded: expanded, Version: version})
		return answer(a, r, err, a.printConfig)
	})
	file := a.offline(func(args []string) error {
		cfg, err := loadConfig(args[0])
		if err != nil {
			return err
		}
		if expanded {
			cfg = cfg.Expanded()
		}
		return answer(a, &nvadv1.Config{Toml: string(config.Print(cfg, true))}, nil, a.printConfig)
	})
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show the running configuration",
		Long: `Show the running configuration or an earlier version of it. With FILE, show that
file instead, without a daemon. The output is a configuration file in normalised
form, with secrets masked. --expanded replaces presets by the keys they stand
for.`,
		Example: `  nvactl config show
  nvactl config show /etc/nvad/nvad.toml
  nvactl config show --expanded
  nvactl config show --version 3`,
		PreRunE: func(_ *cobra.Command, args []string) error {
			if version != 0 && len(args) > 0 {
				return errors.New("use either --version or a file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return file(cmd, args)
			}
			return running(cmd, args)
		},
	}
	cmd.Flags().Uint32Var(&version, "version", 0, "`NUMBER` of a configuration in the history")
	cmd.Flags().BoolVar(&expanded, "expanded", false, "write out presets and derived values")
	return cmd
}

func (a *app) printConfig(c *nvadv1.Config) { _, _ = io.WriteString(a.Out, printable(c.GetToml())) }

func (a *app) configDiffCommand() *cobra.Command {
	var from, to uint32
	cmd := &cobra.Command{
		Use:   "diff [FILE]",
		Short: "Show the differences between configurations",
		Long: `Compare the running configuration with a file, by default the one that nvad was
started with, and show the impact of each difference if it is applied. --from
compares an earlier version instead of the running one, --to a version instead
of the file. The daemon hides passwords, so that a changed password does not
appear; "nvactl reload --dry-run" reports it.`,
		Example: `  nvactl config diff
  nvactl config diff new.toml
  nvactl config diff --from 3
  nvactl config diff --from 3 --to 5`,
	}
	cmd.Flags().Uint32Var(&from, "from", 0, "compare from this `VERSION`, not from the running one")
	cmd.Flags().Uint32Var(&to, "to", 0, "compare with this `VERSION`, not with a file")
	cmd.PreRunE = func(_ *cobra.Command, args []string) error {
		if to != 0 && len(args) > 0 {
			return errors.New("use either --to or a file")
		}
		return nil
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, args []string) error {
		old, err := versionOf(ctx, c, from)
		if err != nil {
			return err
		}
		var next *config.Config
		if to != 0 {
			next, err = versionOf(ctx, c, to)
		} else {
			next, err = a.candidate(ctx, c, args)
		}
		if err != nil {
			return err
		}
		return a.printDiff(config.Diff(old, next))
	})
	return cmd
}

// candidate reads the file of args, or else the file of the daemon, as a reload would.
// It can't read the daemon's file on another machine.
func (a *app) candidate(ctx context.Context, c *client, args []string) (*config.Config, error) {
	if len(args) > 0 {
		return redacted(args[0])
	}
	if a.remote.address != "" {
		return nil, errors.New("name a local file to compare with: the daemon's file is on the other machine (nvactl reload --dry-run reads it there)")
	}
	s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	if err != nil {
		return nil, err
	}
	return redacted(cmp.Or(s.GetConfig().GetFile(), defaultConfig))
}

// versionOf fetches a configuration from the daemon, without passwords; version 0 is
// the running one.
func versionOf(ctx context.Context, c *client, version uint32) (*config.Config, error) {
	r, err := c.read.GetConfig(ctx, &nvadv1.GetConfigRequest{Version: version})
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse("configuration of the daemon", []byte(r.GetToml()))
	if err != nil {
		return nil, fmt.Errorf("this nvactl can't read the configuration of nvad, which is of another version:\n%w", err)
	}
	return cfg, nil
}

// redacted reads a configuration file and hides the passwords. The daemon's side of a
// comparison hides them too; otherwise every password would differ.
func redacted(file string) (*config.Config, error) {
	cfg, err := loadConfig(file)
	if err != nil {
		return nil, err
	}
	return config.Parse(file, config.Print(cfg, true))
}

func (a *app) printDiff(changes []config.Change) error {
	var list []*nvadv1.Change
	for _, d := range config.ByImpact(changes) {
		list = append(list, &nvadv1.Change{What: d.Object + ": " + d.What, Impact: d.Impact.String()})
	}
	return answerList(a, list, nil, "No difference.", func(list []*nvadv1.Change) { a.printChanges(list, "") })
}

func (a *app) configHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the last configurations",
		Long: `List the last ten configurations that were applied, the latest first: when, by
which command and user, and with which result. "*" marks the running one.
"nvactl config show --version N" shows one, "nvactl config diff --from N" shows
what has changed since.`,
		Example: "  nvactl config history",
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			r, err := c.read.ListConfigs(ctx, &nvadv1.ListConfigsRequest{})
			return answerList(a, r.GetVersions(), err, "nvad keeps no configurations: its log says why.", a.printHistory)
		}),
	}
}

func (a *app) printHistory(list []*nvadv1.ConfigVersion) {
	t := a.newTable(column{}, column{head: "Version", right: true}, column{head: "Time (UTC)"},
		column{head: "By"}, column{head: "Result", fit: wrapped})
	for _, v := range slices.Backward(list) {
		t.row(when(v.GetRunning(), "*"), decimal(v.GetVersion()), v.GetTime().AsTime().UTC().Format(time.DateTime), causeOf(v),
			joined(", ", v.GetResult(), v.GetJudge()))
	}
	t.end()
}

func causeOf(v *nvadv1.ConfigVersion) string {
	return joined(", ", v.GetCause()+when(v.GetOrigin() != 0, " to "+decimal(v.GetOrigin())), v.GetBy())
}

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
	interfaces, script, routerID, version string
	wgQuick                               []string
}

func (a *app) configConvertCommand() *cobra.Command {
	v := &conversion{}
	cmd := &cobra.Command{
		Use:   "convert [FRR.CONF]",
		Short: "Turn configurations of FRR and wg-quick into one of nvad",
		Long: `Print an nvad.toml that behaves like the given files. Lines that could not be
carried over are listed on stderr and in comments, with the reason. The result
is checked like any configuration: if nvad does not accept it, the errors follow
on stderr and the exit code is 1.

FRR's defaults depend on the release that wrote the file. If the file has no
"frr version", give the release with --frr-version; otherwise it is derived from
the commands, and the first comment names the assumption and its effect.

Each file of wg-quick becomes a tunnel, named after the file, or one for each of
its peers. Secret keys are not printed: the output says into which file to write
them.`,
		Example: `  nvactl config convert /etc/frr/frr.conf --vxlan-script vxlan.sh > nvad.toml
  nvactl config convert --wg-quick /etc/wireguard/wg0.conf > nvad.toml
  vtysh -c 'show running-config' | nvactl config convert /dev/stdin`,
		PreRunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && (len(v.wgQuick) == 0 || v.interfaces+v.script+v.version != "") {
				return errors.New("which file? Give an frr.conf, files of wg-quick, or both")
			}
			return nil
		},
		RunE: a.offline(func(args []string) error { return a.convert(strings.Join(args, ""), v) }),
	}
	cmd.Flags().StringVar(&v.interfaces, "interfaces", "", "`FILE` like /etc/network/interfaces")
	cmd.Flags().StringVar(&v.script, "vxlan-script", "", "shell script `FILE` that creates the VXLAN devices")
	cmd.Flags().StringArrayVar(&v.wgQuick, "wg-quick", nil, "`FILE` of wg-quick, once for each")
	cmd.Flags().StringVar(&v.version, "frr-version", "", "`RELEASE` (or quagga) for a file without version")
	cmd.Flags().StringVar(&v.routerID, "router-id", "", "router ID `ADDRESS` where the file gives none")
	return cmd
}

func (a *app) convert(file string, v *conversion) error {
	in := frrconf.Input{FRRVersion: v.version, FRRName: file, InterfacesName: v.interfaces, VXLANScriptName: v.script}
	for _, f := range []struct {
		name string
		to   *[]byte
	}{{file, &in.FRR}, {v.interfaces, &in.Interfaces}, {v.script, &in.VXLANScript}} {
		if f.name == "" {
			continue
		}
		data, err := os.ReadFile(f.name)
		if err != nil {
			return err
		}
		*f.to = data
	}
	for _, name := range v.wgQuick {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		in.WGQuick = append(in.WGQuick, frrconf.File{Name: name, Data: data})
	}
	if v.version != "" {
		if err := frrconf.CheckVersion(v.version); err != nil {
			return fmt.Errorf("--frr-version: %w", err)
		}
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
	toml, refused := frrconf.Render(cfg, leftovers)
	if a.json() {
		writeValue(a.Out, converted{string(toml), append([]frrconf.Leftover{}, leftovers...)})
	} else {
		_, _ = a.Out.Write(toml)
	}
	a.hintPreset(cfg)
	return refused
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

// checked is the JSON of config check. An error has the form of a warning without a code.
type checked struct {
	OK       bool             `json:"ok"`
	Errors   []config.Warning `json:"errors"`
	Warnings []config.Warning `json:"warnings"`
}

// checkJSON prints the errors and warnings about a file. It also returns the errors, so
// that the exit code is the same in all formats.
func checkJSON(path string, w io.Writer) error {
	cfg, fault := config.Load(path)
	v := checked{OK: fault == nil, Errors: []config.Warning{}, Warnings: []config.Warning{}}
	all, _ := errors.AsType[config.Errors](fault)
	for _, e := range all {
		v.Errors = append(v.Errors, config.Warning{File: e.File, Line: e.Line, Key: e.Key, Msg: e.Msg})
	}
	if fault == nil {
		v.Warnings = append(v.Warnings, config.Warnings(cfg)...)
	}
	writeValue(w, v)
	return fault
}

// converted is the JSON of config convert.
type converted struct {
	TOML      string             `json:"toml"`
	Leftovers []frrconf.Leftover `json:"leftovers"`
}
