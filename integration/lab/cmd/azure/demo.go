package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/spf13/cobra"
)

// Addresses of the two VMs that should reach each other.
const (
	near = "10.100.0.4"
	far  = "10.110.0.4"
)

// rejected is a prefix of hub10 that hub00's configuration rejects.
const rejected = "10.66.0.0/16"

// demoTime bounds how long the demonstration waits for routes to settle.
const demoTime = 60 * time.Second

func demoCommand(prefix *string) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "build the two hubs with nvad in them and show that they talk",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := demo{out: cmd.OutOrStdout(), prefix: *prefix}
			return d.run(cmd.Context())
		},
	}
}

// demo is one demonstration. The lab stays up after it.
type demo struct {
	out    io.Writer
	prefix string
	lab    *lab.Lab
	bin    string // directory of this program, nvad and nvactl
	nvactl string
}

func (d *demo) run(ctx context.Context) error {
	d.title("Two hubs, four VNets, two ExpressRoute circuits, four Route Server instances")
	start := time.Now()
	if err := d.up(ctx); err != nil {
		return err
	}
	if err := d.await(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "  %s reaches %s after %.1f s\n", near, far, time.Since(start).Seconds())
	for _, show := range []func() error{d.bgp, d.kernel, d.path} {
		if err := show(); err != nil {
			return err
		}
	}
	d.lookAround()
	return nil
}

// up replaces the lab of an earlier demonstration.
func (d *demo) up(ctx context.Context) error {
	if err := takeDown(d.prefix); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	d.bin = filepath.Dir(self)
	d.nvactl = filepath.Join(d.bin, "nvactl")
	root := filepath.Dir(d.bin)
	nva := func(hub string) lab.NVA {
		return lab.NVA{Kind: lab.Nvad, Binary: filepath.Join(d.bin, "nvad"), Config: filepath.Join(root, "configs/demo", hub+".toml")}
	}
	fmt.Fprintln(d.out, "  building namespaces, starting Route Servers, gateways, circuits and two nvads")
	d.lab, err = lab.Create(ctx, lab.Options{
		Scenario: "two-hubs", Prefix: d.prefix, Emulator: self,
		NVAs: map[string]lab.NVA{"hub00": nva("hub00"), "hub10": nva("hub10")},
	})
	return err
}

// await waits until a packet crosses, and prints what it waits for.
func (d *demo) await(ctx context.Context) error {
	deadline := time.Now().Add(demoTime)
	for shown := ""; time.Now().Before(deadline); {
		if state := d.state(ctx); state != shown {
			shown = state
			fmt.Fprintln(d.out, "  "+state)
		}
		if _, err := d.lab.Output("vm-hub100", "ping", "-c", "1", "-W", "1", far); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s does not reach %s after %s; logs are in %s", near, far, demoTime, filepath.Join(d.lab.Dir(), "log"))
}

// state counts the sessions of the Route Servers.
func (d *demo) state(ctx context.Context) string {
	up, all := 0, 0
	for _, s := range d.lab.Speakers() {
		sessions, err := s.Sessions(ctx)
		if err != nil {
			continue
		}
		for _, n := range sessions {
			all++
			if n.Established {
				up++
			}
		}
	}
	return fmt.Sprintf("%d of %d emulated BGP sessions up", up, all)
}

func (d *demo) bgp() error {
	for _, c := range [][]string{
		{"neighbors"}, {"routes", "received", "10.0.210.4"}, {"routes", "received", "169.254.0.2"},
		{"routes", "advertised", "10.0.210.4"}, {"routes", "rejected", "169.254.0.2"}, {"explain", rejected},
	} {
		d.title("hub00# nvactl " + strings.Join(c, " "))
		args := append([]string{"--socket", d.lab.NVASocket("vm-hub00")}, c...)
		if err := d.show(exec.Command(d.nvactl, args...)); err != nil {
			return err
		}
	}
	return nil
}

// seedRoutes are the routes that the article shows for the same host with FRR.
const seedRoutes = `default via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.4
10.0.0.0/16 nhid 19 via 10.0.0.1 dev eth0 proto bgp metric 20
10.0.210.0/24 nhid 10 via 10.0.0.1 dev eth0 proto static metric 20
10.100.0.0/16 nhid 19 via 10.0.0.1 dev eth0 proto bgp metric 20
10.110.0.0/16 nhid 25 via 169.254.0.2 dev vxlan0 proto bgp metric 20
168.63.129.16 via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100
169.254.0.0/24 dev vxlan0 proto kernel scope link src 169.254.0.1
169.254.169.254 via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.4 metric 100`

func (d *demo) kernel() error {
	d.title("hub00# ip route        (nvad; proto 200 are its static routes)")
	if err := d.show(d.lab.Command("vm-hub00", "ip", "route")); err != nil {
		return err
	}
	d.title("hub00# ip route        (the article, with FRR and a VXLAN script)")
	fmt.Fprintln(d.out, seedRoutes)
	return nil
}

func (d *demo) path() error {
	d.title("vm-hub100# traceroute " + far)
	if err := d.show(d.lab.Command("vm-hub100", "traceroute", "-n", "-q", "1", "-w", "1", far)); err != nil {
		return err
	}
	fmt.Fprintln(d.out, `  A hop that answers is an NVA or a VM. "*" are the VNets, which forward and do not answer,
  and hub10's NVA: its answer starts from 169.254.0.2, and a VNet drops link-local sources.`)
	for _, p := range [][2]string{{"vm-hub100", far}, {"vm-hub110", near}} {
		d.title(fmt.Sprintf("%s# ping %s", p[0], p[1]))
		if err := d.show(d.lab.Command(p[0], "ping", "-c", "5", "-i", "0.2", p[1])); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) lookAround() {
	d.title("Look around")
	sudo := ""
	if os.Getenv("SUDO_USER") != "" { // sudo does not pass an exported NVAD_SOCKET on
		sudo = "sudo "
	}
	azure := sudo + filepath.Join(d.bin, "azure")
	fmt.Fprintf(d.out, "  alias nvactl='%s%s --socket %s'\n  alias azure='%s'\n", sudo, d.nvactl, d.lab.NVASocket("vm-hub00"), azure)
	for _, try := range [][2]string{
		{"nvactl status", "and neighbors, routes, tunnels, ..."},
		{"nvactl routes rejected 169.254.0.2", "what a policy kept out, and which rule"},
		{"nvactl explain " + rejected, "the whole story of a route"},
		{"azure effective-routes vm-hub00", "what Azure's portal would show"},
		{"azure route-server-routes hub00", "what Route Server has heard"},
		{"azure exec vm-hub00 ip -d route", "any command on any host"},
		{"azure exec vm-hub00 bash", "a shell on hub00's NVA"},
	} {
		fmt.Fprintf(d.out, "  %-36s  %s\n", try[0], try[1])
	}
	fmt.Fprintf(d.out, "\"make -C %s lab-down\" takes it all away.\n", filepath.Dir(d.bin))
}

func (d *demo) title(text string) { fmt.Fprintf(d.out, "\n== %s\n", text) }

func (d *demo) show(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = d.out, d.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}
