package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
	"github.com/spf13/cobra"
)

func upCommand(prefix *string) *cobra.Command {
	var nvas map[string]string
	var nvad, configs string
	var replace bool
	o := lab.Options{}
	cmd := &cobra.Command{
		Use:   "up SCENARIO",
		Short: "build a lab",
		Long: `Build a lab and start everything in it. Without --nva, the scenario's own NVAs
run nvad. "azure scenarios" lists the scenarios.`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			scenario, err := lab.FindScenario(args[0])
			if err != nil {
				return err
			}
			o.Scenario, o.Prefix = args[0], *prefix
			if o.Emulator, err = os.Executable(); err != nil {
				return err
			}
			if o.NVAs, err = parseNVAs(nvas, nvad); err != nil {
				return err
			}
			if len(nvas) == 0 {
				if o.NVAs, err = defaults(scenario, nvad, configs); err != nil {
					return err
				}
			}
			if replace {
				err = takeDown(*prefix)
			}
			if err == nil {
				_, err = lab.Create(cmd.Context(), o)
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringToStringVar(&nvas, "nva", nil, "what an NVA runs, as NAME=KIND[:CONFIG] with KIND nvad, frr, bird, plain or none")
	flags.StringVar(&nvad, "nvad", beside("nvad"), "the nvad binary")
	flags.StringVar(&configs, "configs", beside("../configs"), "directory of the scenarios' nvad configurations")
	flags.BoolVar(&replace, "replace", false, "take down a lab that stands, once it is clear that this one can be built")
	flags.BoolVar(&o.OnPremises, "on-premises", false, "add a site behind circuit01")
	flags.BoolVar(&o.NoBranchToBranch, "no-branch-to-branch", false, "keep NVAs' and gateways' routes apart")
	flags.BoolVar(&o.RouteServerDials, "route-server-dials", false, "let Route Server open sessions too")
	flags.DurationVar(&o.Dampening, "dampening", sdn.DefaultDampening, "how long a second change of a prefix waits in a VNet, -1s: not at all")
	return cmd
}

// beside returns a path relative to this program's directory, so that it works from any
// working directory.
func beside(path string) string {
	self, err := os.Executable()
	if err != nil {
		return path
	}
	return filepath.Join(filepath.Dir(self), path)
}

// defaults returns what runs on the scenario's NVAs unless flags say otherwise.
func defaults(s lab.Scenario, nvad, configs string) (map[string]lab.NVA, error) {
	nvas := s.Defaults(nvad, configs)
	for name, nva := range nvas {
		if nva.Kind != lab.Nvad {
			continue
		}
		var errBinary, errConfig error
		nva.Binary, errBinary = existing(nva.Binary)
		nva.Config, errConfig = existing(nva.Config)
		if err := errors.Join(errBinary, errConfig); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		nvas[name] = nva
	}
	return nvas, nil
}

func parseNVAs(flags map[string]string, nvad string) (map[string]lab.NVA, error) {
	nvas := map[string]lab.NVA{}
	for vnet, value := range flags {
		kind, config, _ := strings.Cut(value, ":")
		nva := lab.NVA{Kind: lab.Kind(kind)}
		if config != "" {
			var err error
			if nva.Config, err = existing(config); err != nil {
				return nil, fmt.Errorf("configuration of %s: %w", vnet, err)
			}
		}
		if nva.Kind == lab.Nvad {
			var err error
			if nva.Binary, err = existing(nvad); err != nil {
				return nil, fmt.Errorf("nvad binary: %w", err)
			}
		}
		nvas[vnet] = nva
	}
	return nvas, nil
}

// existing returns the absolute path of a file that must exist, because what the lab starts
// runs in another directory.
func existing(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

func downCommand(prefix *string) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "remove a lab and all that it owns",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return takeDown(*prefix) },
	}
}

// takeDown removes the lab of a prefix, if there is one.
func takeDown(prefix string) error {
	l, err := lab.Open(prefix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return l.Down()
}

func connectCommand(prefix *string) *cobra.Command {
	return &cobra.Command{
		Use:   "connect VNET",
		Short: "connect a VNet to its circuit, where the scenario has left that to be done",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := lab.Open(*prefix)
			if err != nil {
				return err
			}
			return l.Connect(args[0])
		},
	}
}
