package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nvad/nvad/integration/lab"
	"github.com/spf13/cobra"
)

func upCommand(prefix *string) *cobra.Command {
	var replace bool
	cmd := &cobra.Command{
		Use:       "up SCENARIO",
		Short:     "build a lab and start everything in it",
		Long:      `Build a lab and start everything in it. "azure scenarios" lists the scenarios.`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			scenario, err := lab.FindScenario(args[0])
			if err != nil {
				return err
			}
			o := lab.Options{Scenario: args[0], Prefix: *prefix, Manager: true}
			if o.Emulator, err = os.Executable(); err != nil {
				return err
			}
			if o.NVAs, err = defaults(scenario); err != nil {
				return err
			}
			if scenario.Operator {
				o.Role = beside("../configs/azure/role-operator.json")
			}
			if replace {
				if err := takeDown(*prefix); err != nil {
					return err
				}
			}
			_, err = lab.Create(cmd.Context(), o)
			return err
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "take down a lab that stands, once it is clear that this one can be built")
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

// defaults returns what runs on the scenario's NVAs. Programs and configurations must exist.
func defaults(s lab.Scenario) (map[string]lab.NVA, error) {
	nvas := s.Defaults(beside("nvad"), beside("../configs"))
	for name, nva := range nvas {
		if !nva.Kind.IsNvad() {
			continue
		}
		for _, path := range []string{nva.Binary, nva.Config} {
			if _, err := os.Stat(path); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nvas, nil
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
	short := "connect a VNet to its circuit, where the scenario has left that to be done"
	return onLab(prefix, "connect VNET", short, cobra.ExactArgs(1), func(_ *cobra.Command, l *lab.Lab, args []string) error {
		return l.Connect(args[0])
	})
}
