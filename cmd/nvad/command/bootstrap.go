package command

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/bootstrap"
)

// bootstrapFlags are the flags as given.
type bootstrapFlags struct {
	routeServers, remotes, vnets []string
	tunnelAddress                string
	asn, vni                     uint32
	options                      bootstrap.Options
}

func bootstrapCommand() *cobra.Command {
	var b bootstrapFlags
	cmd := &cobra.Command{
		Use:   "bootstrap --route-server ADDRESS,ADDRESS [--remote-nva ADDRESS[=OVERLAY],...]",
		Short: "write the configuration of an NVA in Azure",
		Long: `bootstrap asks Azure's instance metadata service for the VM's NICs and writes a
complete configuration: both instances of a Route Server reached through the
gateway of the primary NIC's subnet, a VXLAN tunnel and iBGP to the other NVAs,
and, if there are several NICs, routing that lets each answer health probes itself.

With --secret-file, the sessions between the NVAs use the TCP-MD5 key in that file.
bootstrap copies the key to nva.key beside the configuration, which refers to it.

bootstrap overwrites a file that it wrote, but never one that somebody has changed.
Unless you give the addresses in the tunnel, bootstrap numbers them in the order of
the NVAs' own addresses. So list all other NVAs on every NVA: then all agree.`,
		Example: `  nvad bootstrap --route-server 10.0.210.4,10.0.210.5 --remote-nva 10.10.0.4 --vnet 10.0.0.0/16 --secret-file nva.key
  nvad bootstrap --route-server 10.0.210.4,10.0.210.5 --remote-nva 10.10.0.4=169.254.0.2 --tunnel-address 169.254.0.1/24`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := b.request()
			if err != nil {
				return err
			}
			return bootstrap.Run(cmd.Context(), r, b.options, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&b.routeServers, "route-server", nil, "addresses of both instances of the Route Server")
	f.StringSliceVar(&b.remotes, "remote-nva", nil, "other NVAs: addresses of their NICs, each with =OVERLAY for the one in the tunnel")
	f.StringSliceVar(&b.vnets, "vnet", nil, "prefixes of this NVA's VNet, which are not advertised")
	f.StringVar(&b.tunnelAddress, "tunnel-address", "", "address of this NVA in the tunnel, with prefix length")
	f.Uint32Var(&b.asn, "asn", 65001, "autonomous system of this NVA, the same on all NVAs")
	f.Uint32Var(&b.vni, "vni", 77, "VXLAN network identifier, the same on all NVAs")
	f.StringVar(&b.options.Output, "output", defaultConfig, "file to write")
	f.StringVar(&b.options.Secret, "secret-file", "", "file with the TCP-MD5 key of the sessions between the NVAs, the same on all of them")
	f.BoolVar(&b.options.DryRun, "dry-run", false, "print the configuration and write nothing")
	f.DurationVar(&b.options.Wait, "wait", 5*time.Minute, "how long to wait for the metadata service")
	return cmd
}

// request reads the flags. An error names the flag.
func (b bootstrapFlags) request() (bootstrap.Request, error) {
	r := bootstrap.Request{ASN: b.asn, VNI: b.vni}
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
