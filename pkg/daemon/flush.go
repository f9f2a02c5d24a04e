package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/kernel"
)

// Flush removes from this network namespace everything that an nvad that has ended left
// there, restores the sysctls, and writes to out what it did. It needs root. It fails,
// having changed nothing, while an nvad runs in the namespace.
func Flush(opt Options, out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("flush needs root: routes and devices are removed")
	}
	cfg, err := leftBy(opt, out)
	if err != nil {
		return err
	}
	socket := cmp.Or(opt.Socket, cfg.Daemon.Socket)
	lock, err := alone(socket)
	if err != nil {
		return fmt.Errorf("%w (while it runs: nvactl stop --flush)", err)
	}
	defer lock.Close()
	k, err := kernel.Open(kernel.Namespace{})
	if err != nil {
		return fmt.Errorf("open the kernel's interfaces: %w", err)
	}
	defer k.Close()
	done, err := dataplane.Clean(dataplane.Options{
		FIB: k.FIB, Tunnels: k.Tunnels, NAT: k.NFT, NICs: k.NICs, Sysctls: k.Sysctls, Namespace: k.ID,
		Protocols: fib.Protocols{BGP: cfg.Kernel.Protocol, Static: cfg.Kernel.StaticProtocol},
		StateFile: stateFile(socket, routesState), SysctlFile: stateFile(socket, sysctlsState),
	})
	_, printErr := io.WriteString(out, cleaned(done))
	return errors.Join(err, printErr)
}

// leftBy returns the configuration of the nvad that ran, which says where its state is
// and which protocol numbers its routes have. If the file is missing or has errors, the
// defaults have to do.
func leftBy(opt Options, out io.Writer) (*config.Config, error) {
	cfg, err := config.Load(opt.Config)
	if err == nil {
		return cfg, nil
	}
	if _, missing := os.Stat(opt.Config); missing == nil {
		fmt.Fprintf(out, "%s has errors (see nvad check), so the default socket and protocol numbers are assumed\n", opt.Config)
	}
	return config.Parse("defaults", []byte("asn = 1\n"))
}

// Files beside the socket with state for the next run.
const (
	routesState  = "routes.state"
	sysctlsState = "sysctls.state"
)

func stateFile(socket, name string) string { return filepath.Join(filepath.Dir(socket), name) }

// cleaned says in one line what was removed, then one line for each sysctl and for each
// thing left.
func cleaned(c dataplane.Cleaned) string {
	var what []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			what = append(what, "1 "+one)
		case n > 1:
			what = append(what, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(int(c.Routes), "route", "routes")
	add(c.Objects, "next-hop object", "next-hop objects")
	add(c.NICs, "rule or route of a NIC's table", "rules and routes of NICs' tables")
	if c.NAT {
		what = append(what, "the nftables table")
	}
	for _, name := range c.Tunnels {
		what = append(what, "tunnel "+name)
	}
	text := "nothing of nvad's is in the kernel\n"
	if len(what) > 0 {
		text = "removed " + strings.Join(what, ", ") + "\n"
	}
	for _, s := range c.Sysctls {
		text += "restored " + s + "\n"
	}
	for _, s := range c.Left {
		text += "left " + s + "\n"
	}
	if n := len(c.Foreign); n > 0 {
		text += fmt.Sprintf("left %d routes of nvad's protocols that it does not recognise as its own, such as %s: FRR and BIRD use the same protocol\n",
			n, c.Foreign[0].Prefix)
	}
	return text
}
