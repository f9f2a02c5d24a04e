package ctl

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Azure's limits for the name and the value of a tag, in octets.
const maxTagName, maxTagValue = 512, 256

func (a *app) azureTagCommand(at *azureAccess) *cobra.Command {
	var vm string
	cmd := &cobra.Command{
		Use:   "tag NAME=VALUE",
		Short: "Give this VM a tag",
		Long: `Give this VM a tag, and leave its other tags as they are. "nvad bootstrap
--publish-key" uses it to publish this NVA's public key. The identity needs the
permission Microsoft.Resources/tags/write; configs/azure/role-operator.json has
it.`,
		Example:     `  nvactl azure tag nvad-key=L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q=`,
		Args:        cobra.ExactArgs(1),
		Annotations: changing,
		RunE: func(cmd *cobra.Command, args []string) error {
			return failed(a.tagInAzure(cmd.Context(), at, vm, args[0]))
		},
	}
	cmd.Flags().StringVar(&vm, "vm", "", "resource `ID` of the NVA (default this machine)")
	return cmd
}

func (a *app) tagInAzure(ctx context.Context, at *azureAccess, vm, text string) error {
	name, value, ok := strings.Cut(text, "=")
	switch {
	case !ok || strings.TrimSpace(name) == "":
		return fmt.Errorf("%q is no tag: want NAME=VALUE", text)
	case len(name) > maxTagName || len(value) > maxTagValue:
		return fmt.Errorf("the tag is too long: Azure allows %d characters of name and %d of value", maxTagName, maxTagValue)
	}
	if err := a.here(vm); err != nil {
		return err
	}
	return a.askAzure(ctx, at, func(ctx context.Context, c azureClient) error {
		id, changed, err := c.Tag(ctx, vm, name, value)
		if err != nil {
			return err
		}
		step := registered{Resource: id, What: "has the tag " + text, Changed: changed}
		if a.json() {
			writeValue(a.Out, step)
			return nil
		}
		line(a.Out, nameOfID(id)+": "+(&registration{}).outcome(step))
		return nil
	})
}
