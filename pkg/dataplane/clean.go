package dataplane

import (
	"errors"
	"fmt"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Cleaned lists what [Clean] removed, and what it left.
type Cleaned struct {
	Routes  uint64
	Objects int      // next-hop objects, groups included
	Tunnels []string // names of VXLAN and WireGuard devices
	NAT     bool     // the nftables table
	NICs    int      // rules and routes of NICs' own tables
	Sysctls []string // restored, as "name = value"
	Left    []string // settings that were not restored, and why
	Foreign []fib.KernelRoute
}

// Clean removes from the kernel what an earlier run left, as [Dataplane.Flush] would, without a
// running data plane. It recognises what is nvad's as a restart does. Routes with nvad's
// protocols that it does not recognise stay, and are listed in Foreign: they may be FRR's or
// BIRD's. Of opt it needs the kernel interfaces, Protocols, StateFile, SysctlFile and
// Namespace. The error says what could not be read or removed; it removes everything else.
func Clean(opt Options) (c Cleaned, err error) {
	owner, errOwner := readOwnership(opt.StateFile, opt.Namespace)
	settings, errSettings := readSettings(opt.SysctlFile, opt.Namespace)
	errs := []error{errOwner, errSettings, c.routes(opt, owner), c.nics(opt.NICs), c.tunnels(opt.Tunnels), c.nat(opt.NAT)}
	if errors.Join(errs...) == nil {
		errs = append(errs, owner.forget())
	}
	c.Sysctls, c.Left, err = settings.restore(opt.Sysctls)
	return c, errors.Join(append(errs, err)...)
}

// counting counts the next-hop objects that it deletes.
type counting struct {
	fib.Kernel
	deleted int
}

// Do implements fib.Kernel.
func (k *counting) Do(ops []fib.Op) []error {
	errs := k.Kernel.Do(ops)
	for i, op := range ops {
		if op.Kind == fib.DeleteObject && errs[i] == nil {
			k.deleted++
		}
	}
	return errs
}

func (c *Cleaned) routes(opt Options, owner *ownership) error {
	k := &counting{Kernel: opt.FIB}
	f := fib.New(fib.Options{Kernel: k, Protocols: opt.Protocols, Owns: owner.owns})
	now := time.Now()
	if err := f.Resync(now); err != nil {
		return err
	}
	c.Foreign = f.Leftovers()
	err := f.Flush(now)
	c.Routes, c.Objects = f.Count().Deleted, k.deleted
	return err
}

func (c *Cleaned) nat(k nat.Kernel) error {
	found, err := k.Read()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // a kernel without nftables
	}
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	if found == nil {
		return nil
	}
	c.NAT = true
	return nat.New(k).Flush()
}

func (c *Cleaned) nics(k nic.Kernel) error {
	found, err := k.Read(nil)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	c.NICs = len(found.Rules) + len(found.Routes)
	return nic.New(k).Flush()
}

func (c *Cleaned) tunnels(k tunnel.Kernel) error {
	links, err := k.Links()
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	for _, l := range links {
		if l.Own() {
			c.Tunnels = append(c.Tunnels, l.Name)
		}
	}
	return tunnel.New(k).Flush()
}
