package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/tunnel"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) rotateCommand() *cobra.Command {
	var peer string
	var subnets []string
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Change the key of a WireGuard tunnel, step by step",
		Long: `Find out how far the change of a WireGuard tunnel's key has come, and print the
next step. A second tunnel with a new key takes over from the first one, so that
no packet is lost. rotate makes the new key, and prints the lines for nvad.toml
and the commands for both NVAs. It changes neither files nor sessions. Run it
again after each step.

Give --peer and --subnet as rotate printed them on the other NVA.`,
		Example: `  nvactl tunnels rotate wg0
  nvactl tunnels rotate wg0 --subnet 169.254.0.4/30 \
      --peer 3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=@51821`,
		Annotations:       changing,
		ValidArgsFunction: a.completeTunnels,
	}
	cmd.Flags().StringVar(&peer, "peer", "", "new key and UDP port of the other NVA, as `KEY@PORT`")
	cmd.Flags().StringSliceVar(&subnets, "subnet", nil, "`PREFIX` of the new tunnel, one for each address")
	cmd.RunE = a.run(func(ctx context.Context, c *client, args []string) error {
		end, err := parseNewEnd(peer, subnets)
		if err != nil {
			return err
		}
		s, err := a.rotationStep(ctx, c, args[0], end)
		if err != nil {
			return err
		}
		if a.json() {
			writeValue(a.Out, s)
			return nil
		}
		a.printRotation(s)
		return nil
	})
	return cmd
}

// rotationStep is the next step of a rotation.
type rotationStep struct {
	Tunnel    string   `json:"tunnel"`
	Successor string   `json:"successor"`
	Step      string   `json:"step"` // exchange, configure, wait, shutdown, drain, remove or done
	Text      string   `json:"text"` // what is to be done, and why
	PublicKey string   `json:"public_key,omitempty"`
	Commands  []string `json:"commands,omitempty"`  // here
	Elsewhere []string `json:"elsewhere,omitempty"` // commands for the other NVA
	Sections  []string `json:"sections,omitempty"`  // of nvad.toml, to add or to remove
	Replace   []string `json:"replace,omitempty"`   // sections that take the place of those with the same first line
}

// parseNewEnd reads the flags.
func parseNewEnd(peer string, subnets []string) (end config.NewEnd, err error) {
	for _, s := range subnets {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return end, fmt.Errorf("--subnet %q is no prefix, such as 169.254.0.4/30", s)
		}
		end.Subnets = append(end.Subnets, p)
	}
	if peer == "" {
		return end, nil
	}
	key, port, found := strings.Cut(peer, "@")
	n, portErr := strconv.ParseUint(port, 10, 16)
	if end.Key, err = tunnel.ParseKey(key); err != nil || !found || portErr != nil {
		return end, fmt.Errorf("--peer %q: want KEY@PORT, as \"nvactl tunnels rotate\" prints it on the other NVA", peer)
	}
	end.Port = uint16(n)
	return end, nil
}

// rotationStep finds out how far a rotation has come.
func (a *app) rotationStep(ctx context.Context, c *client, name string, end config.NewEnd) (rotationStep, error) {
	cfg, err := versionOf(ctx, c, 0)
	if err != nil {
		return rotationStep{}, err
	}
	s := rotationStep{Tunnel: name, Successor: config.Successor(name)}
	switch {
	case cfg.HasTunnel(name) && cfg.HasTunnel(s.Successor):
		return a.progress(ctx, c, cfg, s)
	case cfg.HasTunnel(s.Successor):
		s.Step, s.Text = "done", fmt.Sprintf("%s has taken the place of %s.", s.Successor, name)
		return s, nil
	case end.Key == tunnel.Key{}:
		return beginRotation(ctx, c, cfg, s, end)
	}
	return configureRotation(ctx, c, cfg, s, end)
}

// beginRotation makes the key, and says what the other NVA needs to know.
func beginRotation(ctx context.Context, c *client, cfg *config.Config, s rotationStep, end config.NewEnd) (rotationStep, error) {
	next, key, err := successor(ctx, c, cfg, s.Tunnel, end)
	if err != nil {
		return s, err
	}
	s.Step, s.PublicKey = "exchange", key
	s.Elsewhere = []string{forOtherEnd(s, next)}
	s.Text = "Run this command on the other NVA, with the tunnel's name there if it has another one. It prints that NVA's lines, and a command to run here."
	return s, nil
}

// successor returns the configuration with the tunnel's successor, and the public key that
// the daemon made for that. A tunnel that can't be rotated gets no key.
func successor(ctx context.Context, c *client, cfg *config.Config, tunnel string, end config.NewEnd) (*config.Config, string, error) {
	next, err := cfg.Rotate(tunnel, end)
	if err != nil {
		return nil, "", err
	}
	r, err := c.control.MakeTunnelKey(ctx, &nvadv1.MakeTunnelKeyRequest{Tunnel: tunnel})
	return next, r.GetPublicKey(), err
}

// forOtherEnd returns the command that tells the other NVA about the tunnel's successor.
func forOtherEnd(s rotationStep, next *config.Config) string {
	t := &next.Tunnels[len(next.Tunnels)-1]
	text := fmt.Sprintf("nvactl tunnels rotate %s --peer %s@%d", s.Tunnel, s.PublicKey, t.WireGuard.ListenPort)
	for _, p := range t.Addresses {
		text += " --subnet " + p.Masked().String()
	}
	return text
}

// configureRotation returns the sections of nvad.toml that this NVA needs.
func configureRotation(ctx context.Context, c *client, cfg *config.Config, s rotationStep, end config.NewEnd) (rotationStep, error) {
	if len(end.Subnets) == 0 {
		return s, errors.New("--peer needs --subnet, as the other NVA prints both")
	}
	next, key, err := successor(ctx, c, cfg, s.Tunnel, end)
	if err != nil {
		return s, err
	}
	s.Step, s.PublicKey = "configure", key
	if end.Key.String() == s.PublicKey {
		return s, errors.New("--peer has this NVA's own key: run the command on the other NVA")
	}
	s.Sections = next.Sections(cfg)
	s.Commands = []string{"nvactl reload --dry-run", "nvactl reload"}
	s.Elsewhere = []string{forOtherEnd(s, next)}
	s.Text = "Add these sections to nvad.toml."
	if port := next.Tunnels[len(next.Tunnels)-1].WireGuard.ListenPort; port != 0 {
		s.Text += fmt.Sprintf(" Allow UDP port %d from the other NVA, in the network security group too.", port)
	}
	s.Text += " Then reload. Unless you began on the other NVA, run the command for it there: it prints what that NVA needs."
	return s, nil
}

func (a *app) printRotation(s rotationStep) {
	line(a.Out, fmt.Sprintf("Tunnel %s, successor %s: %s", s.Tunnel, s.Successor, stepTitles[s.Step]))
	if s.PublicKey != "" {
		line(a.Out, "Public key of the successor here: "+s.PublicKey)
	}
	line(a.Out, "")
	hang(a.Out, a.Width, "", "", s.Text)
	a.printSections(s.Sections)
	if len(s.Replace) > 0 {
		line(a.Out, "")
		line(a.Out, "In place of the sections with the same first line:")
		a.printSections(s.Replace)
	}
	a.printCommands("Here:", s.Commands)
	a.printCommands("On the other NVA:", s.Elsewhere)
}

func (a *app) printSections(list []string) {
	for _, section := range list {
		line(a.Out, "")
		for row := range strings.Lines(section) {
			line(a.Out, strings.TrimSuffix(row, "\n"))
		}
	}
}

func (a *app) printCommands(head string, list []string) {
	if len(list) == 0 {
		return
	}
	line(a.Out, "")
	line(a.Out, head)
	for _, command := range list {
		if len(command) > 70 {
			command = strings.ReplaceAll(command, " --", " \\\n      --")
		}
		line(a.Out, "  "+command)
	}
}

var stepTitles = map[string]string{
	"exchange":  "tell the other NVA",
	"configure": "configure the second tunnel",
	"wait":      "wait for the second tunnel",
	"shutdown":  "end the old sessions",
	"drain":     "wait until nothing uses the old tunnel",
	"remove":    "remove the old tunnel",
	"done":      "done",
}
