package command

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/bootstrap"
	"github.com/nvad/nvad/pkg/daemon"
)

// bootstrapFlags are the flags as given.
type bootstrapFlags struct {
	routeServers, remotes, vnets, peers []string
	tunnelAddress                       string
	asn, vni                            uint32
	fromAzure                           bool
	azure                               bootstrap.Discovery
	options                             bootstrap.Options
}

// bootstrapHelp describes the command.
const bootstrapHelp = `bootstrap asks Azure's instance metadata service for the VM's NICs and writes a
complete configuration: both instances of a Route Server reached through the
gateway of the primary NIC's subnet, a VXLAN tunnel or WireGuard tunnels and iBGP
to the other NVAs, and, if there are several NICs, routing that lets each answer
health probes itself.

With --from-azure, no address has to be given: bootstrap lets nvactl ask Azure
Resource Manager, as the VM's managed identity, for the Route Server of the VNet
or of a peered one, and for the VNet's prefixes. With --tag, the other NVAs are the
VMs with that tag, in all subscriptions and resource groups that the identity may
read. What flags say takes precedence, and --remote-nva adds NVAs. --register
makes this NVA a BGP peer of both instances of the Route Server, and lets its NIC
forward. What Azure does not show yet when the VM boots for the first time, such as
its role assignments, is asked for again until --wait is over.

Each NVA's address in the tunnel follows from its own address, by a hash into
169.254.64.0/18. So all NVAs agree on it, and it stays when others come or go. If
two get the same one, bootstrap refuses to write. Then give one of them another
address, with the tag nvad-overlay=ADDRESS, or with --tunnel-address there and
=OVERLAY elsewhere. The tags nvad-asn and nvad-vni stand for --asn and --vni.

With --peer, an NVA is reached through WireGuard instead: the tunnel's name, UDP port
(51820 to 59883) and addresses follow from the keys of both ends. "nvad public-key
nva" prints the key of an NVA, and makes it if there is none; so does bootstrap with
--peer, also with --dry-run. Leave @HOST out for an NVA behind NAT, which calls first.

With --publish-key, nobody carries keys: bootstrap writes the public key of this NVA
to the tag nvad-key of its VM, reads the keys of the NVAs of --tag from theirs, and
reaches them through WireGuard as with --peer. --nvas waits for their keys too. An
NVA without a usable key is left out with a note; run bootstrap again when it has one.

Whoever may set the tag of --tag can join the NVAs. So use --secret-file too: then
the sessions between the NVAs need the TCP-MD5 key in that file, which bootstrap
copies to nva.key beside the configuration, which refers to it.

bootstrap overwrites a file that it wrote, but never one that somebody has changed.
If other NVAs have come or gone, run the same command again, then "nvactl reload".`

func bootstrapCommand() *cobra.Command {
	var b bootstrapFlags
	cmd := &cobra.Command{
		Use:   "bootstrap [--from-azure [--register] [--tag NAME=VALUE [--publish-key]]] [--route-server ADDRESS,ADDRESS] [--remote-nva ADDRESS[=OVERLAY],...] [--peer KEY@HOST]",
		Short: "write the configuration of an NVA in Azure",
		Long:  bootstrapHelp,
		Example: `  nvad bootstrap --from-azure --register --tag nvad=site1 --secret-file nva.key
  nvad bootstrap --from-azure --register --tag nvad=site1 --publish-key
  nvad bootstrap --route-server 10.0.210.4,10.0.210.5 --remote-nva 10.10.0.4 --vnet 10.0.0.0/16 --secret-file nva.key
  nvad bootstrap --route-server 10.0.210.4,10.0.210.5 --peer L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q=@10.10.0.4 --vnet 10.0.0.0/16
  nvad bootstrap --route-server 10.0.210.4,10.0.210.5 --remote-nva 10.10.0.4=169.254.0.2 --tunnel-address 169.254.0.1/24`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := b.request(cmd.Flags().Changed)
			if err != nil {
				return err
			}
			if len(r.Peers) > 0 || b.azure.PublishKey {
				if r.Identity, err = identity(cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			return bootstrap.Run(cmd.Context(), r, b.options, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	b.register(cmd)
	return cmd
}

func (b *bootstrapFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&b.fromAzure, "from-azure", false, "ask Azure Resource Manager for what no other flag says")
	f.BoolVar(&b.azure.Register, "register", false, "make this NVA a BGP peer of the Route Server, and let its NIC forward")
	f.StringVar(&b.azure.ClientID, "client-id", "", "client ID of one of several identities of the VM")
	f.StringVar(&b.azure.Tag, "tag", "", "the other NVAs are the VMs with this tag, NAME=VALUE or NAME")
	f.BoolVar(&b.azure.PublishKey, "publish-key", false, "reach the NVAs of --tag through WireGuard: write this NVA's public key to the tag nvad-key of its VM, and read theirs")
	f.IntVar(&b.azure.NVAs, "nvas", 0, "wait until so many NVAs have the tag, this one included")
	f.StringSliceVar(&b.routeServers, "route-server", nil, "addresses of both instances of the Route Server; with --from-azure also its name, or \"none\"")
	f.StringSliceVar(&b.remotes, "remote-nva", nil, "other NVAs: addresses of their NICs, each with =OVERLAY for the one in the tunnel")
	f.StringArrayVar(&b.peers, "peer", nil, "another NVA through WireGuard, `KEY@HOST[:PORT]`; once for each")
	f.StringSliceVar(&b.vnets, "vnet", nil, "prefixes of this NVA's VNet, which are not advertised")
	f.StringVar(&b.tunnelAddress, "tunnel-address", "", "address of this NVA in the tunnel, with prefix length")
	f.Uint32Var(&b.asn, "asn", bootstrap.DefaultASN, "autonomous system of this NVA, the same on all NVAs")
	f.Uint32Var(&b.vni, "vni", bootstrap.DefaultVNI, "VXLAN network identifier, the same on all NVAs")
	f.StringVar(&b.options.Output, "output", defaultConfig, "file to write")
	f.StringVar(&b.options.Secret, "secret-file", "", "file with the TCP-MD5 key of the sessions between the NVAs, the same on all of them")
	f.BoolVar(&b.options.DryRun, "dry-run", false, "print the configuration, and what would be registered, and change nothing")
	f.DurationVar(&b.options.Wait, "wait", 5*time.Minute, "how long to wait for Azure")
}

// identity returns the key of this NVA, and prints the public one: the other NVAs need it.
func identity(progress io.Writer) (id bootstrap.Identity, err error) {
	if id.Public, err = daemon.PublicKey(daemon.Options{}, bootstrap.KeyName); err != nil {
		return id, fmt.Errorf("the WireGuard key of this NVA: %w", err)
	}
	fmt.Fprintf(progress, "public key of this NVA: %s\n", id.Public)
	id.File = daemon.KeyFile(daemon.Options{}, bootstrap.KeyName)
	return id, nil
}

// request reads the flags. given says which flags the operator set. An error names the
// flag.
func (b bootstrapFlags) request(given func(flag string) bool) (bootstrap.Request, error) {
	r := bootstrap.Request{ASN: b.asn, VNI: b.vni}
	if err := b.fromAzureOnly(given); err != nil {
		return r, err
	}
	if b.fromAzure {
		r.Azure = &b.azure
		if !given("asn") {
			r.ASN = 0 // a tag may say it
		}
		if !given("vni") {
			r.VNI = 0
		}
		if len(b.routeServers) == 1 && !isAddress(b.routeServers[0]) {
			r.Azure.RouteServer, b.routeServers = b.routeServers[0], nil
		}
	}
	for _, text := range b.routeServers {
		a, err := netip.ParseAddr(text)
		if err != nil || !a.Is4() {
			return r, fmt.Errorf("--route-server: %q is not an IPv4 address", text)
		}
		r.RouteServers = append(r.RouteServers, a)
	}
	for _, text := range b.remotes {
		m, err := bootstrap.ParseRemote(text)
		if err != nil {
			return r, fmt.Errorf("--remote-nva: %w", err)
		}
		r.Remotes = append(r.Remotes, m)
	}
	for _, text := range b.peers {
		p, err := bootstrap.ParsePeer(text)
		if err != nil {
			return r, fmt.Errorf("--peer: %w", err)
		}
		r.Peers = append(r.Peers, p)
	}
	for _, text := range b.vnets {
		p, err := netip.ParsePrefix(text)
		if err != nil || !p.Addr().Is4() {
			return r, fmt.Errorf("--vnet: %q is not an IPv4 prefix", text)
		}
		r.VNets = append(r.VNets, p)
	}
	if b.tunnelAddress != "" {
		p, err := netip.ParsePrefix(b.tunnelAddress)
		if err != nil || !p.Addr().Is4() {
			return r, fmt.Errorf("--tunnel-address: %q: want an IPv4 address with prefix length, like 169.254.0.1/24", b.tunnelAddress)
		}
		r.TunnelAddress = p
	}
	return r, nil
}

// fromAzureOnly returns an error for a flag that means nothing without --from-azure, and
// for a number that would count as not given.
func (b bootstrapFlags) fromAzureOnly(given func(string) bool) error {
	for _, flag := range []string{"register", "client-id", "tag", "nvas", "publish-key"} {
		if given(flag) && !b.fromAzure {
			return fmt.Errorf("--%s: needs --from-azure", flag)
		}
	}
	switch {
	case b.fromAzure && given("asn") && b.asn == 0:
		return fmt.Errorf("--asn: 0 is no autonomous system")
	case b.fromAzure && given("vni") && b.vni == 0:
		return fmt.Errorf("--vni: want a number from 1 to 16777215")
	}
	return nil
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}
